package import UnderstudyProtocol
package import UnderstudyWAL

/// The WAL that a server streams from a position, or its refusal.
package enum WALSample: Sendable {
    /// As many bytes as requested; fewer if the timeline ends first.
    case bytes([UInt8])
    case refused(ConnectionError)
}

extension Session {
    /// Sends START_REPLICATION.
    ///
    /// - Parameter slot: A physical slot, or nil.
    package func startReplication(slot: String?, from start: LSN, timeline: TimelineID) throws(ConnectionError) {
        told.beginStream()
        try send(ReplicationCommand.startReplication(slot: slot, from: start, timeline: timeline))
    }

    /// Ends a stream whose copy the server has ended, or in whose place it sent `reply`: ends our side of the copy, and takes
    /// the results that are left.
    ///
    /// - Returns: The next timeline, if the stream ended because its timeline did.
    package func endReplication(after reply: Reply<ResultSet>? = nil) throws(ConnectionError) -> NextTimeline? {
        var reply = if let reply { reply } else { try nextResult() }
        if reply == .copyIn {
            do throws(ConnectionError) { try endCopy() } catch  where error.code == .lost {
                // The results may have come before.
            }
            reply = try nextResult()
        }
        var next: NextTimeline?
        while reply != .none {
            // libpq would return this result again and again.
            if reply.isCopy {
                throw ConnectionError(.protocolViolation, "unexpected copy in answer to START_REPLICATION")
            }
            if case .rows(let rows) = reply {
                do throws(ProtocolError) { next = try NextTimeline(rows) } catch {
                    throw ConnectionError(.protocolViolation, error.message)
                }
            }
            let isOver = reply == .command
            // A server that shuts down ends the command first, then the connection.
            do throws(ConnectionError) { reply = try nextResult() } catch  where isOver && error.code == .lost { break }
        }
        return next
    }

    /// Streams briefly from a slot, and reports a flush position, to which the server moves the slot.
    ///
    /// - Parameter flushed: Invalid to leave the slot as it is: the server checks that it is physical, not in use, and that
    ///   its WAL is still there.
    package func reportFlush(
        _ flushed: LSN, slot: String, from start: LSN, timeline: TimelineID
    ) throws(ConnectionError) {
        try startReplication(slot: slot, from: start, timeline: timeline)
        guard case .copyBoth = try nextResult() else {
            throw ConnectionError(.protocolViolation, "unexpected answer to START_REPLICATION")
        }
        try sendStatus(StandbyStatus(written: flushed, flushed: flushed))
        try endCopy()
        while try takeCopyData(failure: { $0 }, { _ throws(ConnectionError) in }) != .ended {}
        _ = try endReplication()
    }

    /// Streams a few bytes of WAL, without a slot and without a status update, then ends the stream.
    ///
    /// - Throws: If the connection fails. After a refusal, the session is ready for the next command.
    package func sample(_ position: LSN, on timeline: TimelineID, count: Int) throws(ConnectionError) -> WALSample {
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
            if hasEnded {
                while try hasResult() {}
            } else {
                _ = try endReplication()
            }
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
    package func endCommand() throws(ConnectionError) {
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
