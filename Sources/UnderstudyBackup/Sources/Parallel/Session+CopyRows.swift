import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol

extension Session {
    /// Runs a COPY in binary format, and passes each row on.
    func copyRows(
        _ command: String, columns: Int, _ take: (borrowing BinaryCopyRow) throws(UnderstudyError) -> Void
    ) throws(UnderstudyError) {
        do throws(ConnectionError) {
            try send(command)
            guard try nextResult() == .copyOut else {
                throw ConnectionError(.protocolViolation, "server did not begin a copy that it was asked for")
            }
        } catch { throw UnderstudyError(error) }
        var reader = BinaryCopyReader(columns: columns)
        while try takeCopyData(
            failure: { UnderstudyError($0) },
            { message throws(UnderstudyError) in
                try reader.take(message, failure: { UnderstudyError($0) }, take)
                // Afterwards: the server is not to blame for the time that it took here.
                if message.byteCount > 0 { noteProgress() }
            }) != .ended
        {}
        // An error of the server ends the copy, and follows as its result.
        do throws(ConnectionError) { while try nextResult() != .none {} } catch {
            // After all results the connection is ready for another query.
            if error.code == .server { while let reply = try? nextResult(), reply != .none {} }
            throw UnderstudyError(error)
        }
        guard reader.isAtEnd else {
            throw UnderstudyError(.protocolViolation, "server ended a copy within its data")
        }
    }
}
