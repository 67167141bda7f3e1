extension ScriptedServer {
    /// The connection is over.
    struct Ended: Error {}

    /// How far a client says it is: a standby status update.
    package struct Status: Sendable, Equatable {
        package var written: UInt64
        package var flushed: UInt64
        package var applied: UInt64
        package var asksForReply: Bool

        /// nil for another message.
        init?(_ body: [UInt8]) {
            guard body.count == 34, body[0] == UInt8(ascii: "r") else { return nil }
            func number(_ place: Int) -> UInt64 { body[place..<place + 8].reduce(0) { $0 << 8 | UInt64($1) } }
            written = number(1)
            flushed = number(9)
            applied = number(17)
            asksForReply = body[33] != 0
        }
    }

    /// The rest of an answer, in which client and server take turns. It ends, by an error, when the client is gone.
    package struct Talk {
        let send: ([UInt8]) throws -> Void
        let message: () throws -> (kind: UInt8, body: [UInt8])

        package func send(_ bytes: some Sequence<UInt8>) throws { try send(Array(bytes)) }

        /// Waits for the next status update; nil when the client has ended its side of the copy instead.
        @discardableResult
        package func status() throws -> Status? {
            while true {
                let (kind, body) = try message()
                if kind == UInt8(ascii: "c") { return nil }
                if kind == UInt8(ascii: "d"), let status = Status(body) { return status }
            }
        }

        /// Waits, as a server that shuts down, until everything before this position is on the client's disk.
        package func waitUntilFlushed(_ position: UInt64) throws {
            while true {
                guard let status = try status() else { throw Ended() }
                if status.flushed >= position { return }
            }
        }

        /// Waits until the client has ended its side of the copy.
        package func waitForCopyDone() throws {
            while try message().kind != UInt8(ascii: "c") {}
        }
    }
}

extension ScriptedServer.Answer {
    /// The answer of one row, made up.
    package static func rows(_ row: [String?]) -> Self {
        var bytes = ServerBytes()
        bytes.rows(row.count, [row])
        bytes.ready()
        return .init(bytes.bytes)
    }
}
