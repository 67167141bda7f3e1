package import UnderstudyConnection

extension ConnectionParameters {
    /// Reads what the user gave for a connection.
    package init(reading string: String, overrides: [String: String]) throws(UnderstudyError) {
        do throws(ConnectionError) { try self.init(string, overrides: overrides) } catch {
            throw UnderstudyError(error)
        }
    }
}
