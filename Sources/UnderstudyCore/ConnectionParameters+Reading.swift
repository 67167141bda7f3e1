package import UnderstudyConnection

extension ConnectionParameters {
    /// Parses a connection string, with settings that override it.
    package init(reading string: String, overrides: [String: String]) throws(UnderstudyError) {
        do throws(ConnectionError) { try self.init(string, overrides: overrides) } catch {
            throw UnderstudyError(error)
        }
    }
}
