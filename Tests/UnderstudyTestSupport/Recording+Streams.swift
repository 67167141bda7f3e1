extension Recording {
    /// A message of a recorded answer.
    package struct Message: Sendable {
        /// All of it, from its type on.
        package var bytes: ArraySlice<UInt8>

        package var type: Character { Character(Unicode.Scalar(bytes[bytes.startIndex])) }
        /// `w` or `k` for a message of a WAL stream.
        package var streamKind: Character? {
            type == "d" && bytes.count > 5 ? Character(Unicode.Scalar(bytes[bytes.startIndex + 5])) : nil
        }
        /// Where the WAL in it begins, and the position behind it.
        package var wal: Range<UInt64>? {
            guard streamKind == "w" else { return nil }
            let place = bytes.startIndex + 6
            let start = bytes[place..<place + 8].reduce(0) { $0 << 8 | UInt64($1) }
            return start..<start + UInt64(bytes.count - 30)
        }
        /// Whether it is a keepalive to which the server wants an answer.
        package var asksForReply: Bool { streamKind == "k" && bytes.last != 0 }
    }

    /// The messages of an answer, whole.
    package func wholeMessages(_ session: String) throws -> [Message] {
        let bytes = try response(session)
        var messages: [Message] = []
        var start = 0
        while start < bytes.count {
            let end = start + 1 + bytes[start + 1..<start + 5].reduce(0) { $0 << 8 | Int($1) }
            messages.append(Message(bytes: bytes[start..<end]))
            start = end
        }
        return messages
    }

    /// A recorded stream with the first bytes of its WAL only.
    func limited(_ session: String, to limit: Int) throws -> [UInt8] {
        var left = limit
        return try wholeMessages(session).flatMap { message -> [UInt8] in
            guard let wal = message.wal else { return Array(message.bytes) }
            let count = min(left, Int(wal.upperBound - wal.lowerBound))
            left -= count
            if count == 0 { return [] }
            let length = UInt32(4 + 25 + count)
            return [UInt8(ascii: "d")] + (0..<4).map { UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * $0)) }
                + message.bytes.dropFirst(5).prefix(25 + count)
        }
    }

    /// A recorded stream that the client ends, without what comes before a position: the answer to a client that begins
    /// there.
    package func answer(_ session: String, from position: UInt64) throws -> ScriptedServer.Answer {
        var head: [UInt8] = [], tail: [UInt8] = []
        for message in try wholeMessages(session) {
            if let wal = message.wal {
                if wal.lowerBound >= position { head += message.bytes }
            } else if message.type == "W" || message.streamKind != nil {
                head += message.bytes
            } else {
                tail += message.bytes
            }
        }
        return ScriptedServer.Answer(head + tail, holdsFrom: head.count)
    }

    /// A server that streams WAL.
    ///
    /// - Parameters:
    ///   - login: The session that answers a login.
    ///   - identity: That of IDENTIFY_SYSTEM.
    ///   - history: That of TIMELINE_HISTORY.
    ///   - answer: The answer to START_REPLICATION and to what else is not recorded as usual.
    package func serveStream(
        login: String = "01-startup", identity: String = "02-identify-system", history: String = "42-timeline-history",
        _ answer: @escaping @Sendable (String) throws -> ScriptedServer.Answer
    ) throws -> ScriptedServer {
        let usual = [
            "IDENTIFY_SYSTEM": identity, "SHOW wal_segment_size": "03-show-wal-segment-size",
            "SHOW data_directory_mode": "04-show-data-directory-mode", "TIMELINE_HISTORY": history,
        ]
        let recording = self
        return try ScriptedServer(
            login: { client in
                // Nothing else was recorded: a server without a line for ordinary connections.
                guard client.isReplication else { throw SupportError("no ordinary connection was recorded") }
                return try recording.answer(login)
            },
            script: { _, command in
                guard let session = usual.first(where: { command.hasPrefix($0.key) })?.value else {
                    return try answer(command)
                }
                return try recording.answer(session)
            })
    }
}
