import UnderstudyConnection
import UnderstudyProtocol
import UnderstudyWAL

/// What a server streams from a position, or why it does not.
enum WALSample: Sendable {
    /// As many bytes as were wanted; fewer where its timeline ends before.
    case bytes([UInt8])
    case refused(ConnectionError)
}

extension Session {
    /// Has a few bytes of WAL streamed, without a slot and without a word of how far we are, and ends that.
    ///
    /// - Throws: If the connection fails. After a refusal it is good for the next command.
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

    /// Takes what is left of a command that failed.
    func endCommand() throws(ConnectionError) {
        while true {
            do throws(ConnectionError) {
                if try !hasResult() { return }
            } catch {
                guard error.code == .server else { throw error }
            }
        }
    }

    /// Takes a result; false when there is none left.
    private func hasResult() throws(ConnectionError) -> Bool {
        let reply = try nextResult()
        // libpq would return it again and again.
        if reply.isCopy { throw ConnectionError(.protocolViolation, "unexpected copy") }
        return reply != .none
    }
}
