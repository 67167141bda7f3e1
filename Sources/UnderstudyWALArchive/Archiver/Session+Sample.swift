import UnderstudyConnection
import UnderstudyProtocol
import UnderstudyWAL

/// The WAL that a server streams from a position, or its refusal.
enum WALSample: Sendable {
    /// As many bytes as requested; fewer if the timeline ends first.
    case bytes([UInt8])
    case refused(ConnectionError)
}

extension Session {
    /// Streams a few bytes of WAL, without a slot and without a status update, then ends the stream.
    ///
    /// - Throws: If the connection fails. After a refusal, the session is ready for the next command.
    func sample(_ position: LSN, on timeline: TimelineID, count: Int) throws(ConnectionError) -> WALSample {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        do throws(ConnectionError) {
            try startReplication(slot: nil, from: position, timeline: timeline)
            guard case .copyBoth = try nextResult() else {
                try endCommand()
                return .bytes([])
            }
            var hasEnded = false
            while true {
                let step = try takeCopyData(failure: { $0 }) { message throws(ConnectionError) in
                    try Self.take(message, at: position, count, &bytes)
                }
                if step == .ended { break }
                if !hasEnded, bytes.count >= count {
                    try endCopy()
                    hasEnded = true
                }
            }
            if !hasEnded, try nextResult() == .copyIn { try endCopy() }
            while try hasResult() {}
            return .bytes(bytes)
        } catch {
            guard error.code == .server else { throw error }
            try endCommand()
            return .refused(error)
        }
    }

    private static func take(
        _ message: RawSpan, at position: LSN, _ count: Int, _ bytes: inout [UInt8]
    ) throws(ConnectionError) {
        let decoded: WALMessage
        do throws(ProtocolError) { decoded = try WALMessage(message) } catch {
            throw ConnectionError(.protocolViolation, error.message)
        }
        guard case .data(let start, _, let content) = decoded, bytes.count < count else { return }
        let expected = position.advanced(by: UInt64(bytes.count))
        guard start == expected else {
            throw ConnectionError(.protocolViolation, "server sent WAL from \(start), expected \(expected ?? position)")
        }
        // The bytes are copied within the call.
        unsafe content.extracting(..<min(content.byteCount, count - bytes.count)).withUnsafeBytes {
            unsafe bytes.append(contentsOf: $0)
        }
    }

    /// Discards the remaining results of a command, errors of the server included.
    func endCommand() throws(ConnectionError) {
        while true {
            do throws(ConnectionError) {
                if try !hasResult() { return }
            } catch {
                guard error.code == .server else { throw error }
            }
        }
    }

    /// Takes a result; false if there is none left.
    private func hasResult() throws(ConnectionError) -> Bool {
        let reply = try nextResult()
        // libpq would return this result again and again.
        if reply.isCopy { throw ConnectionError(.protocolViolation, "unexpected copy") }
        return reply != .none
    }
}
