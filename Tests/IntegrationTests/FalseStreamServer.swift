import Testing
import Understudy
import UnderstudyTestSupport

/// A server of WAL that is false in one thing, and what the archiver says of it.
struct FalseStreamServer: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// A part of the error.
    var word: String
    var arguments: [String]
    var make: @Sendable (inout PlayedServer) -> Void

    init(
        _ name: String, word: String = "", arguments: [String] = [],
        _ make: @escaping @Sendable (inout PlayedServer) -> Void
    ) {
        testDescription = name
        self.word = word
        self.arguments = arguments
        self.make = make
    }

    /// A stream that goes wrong behind ``good``.
    static func stream(
        _ name: String, word: String = "", _ make: @escaping @Sendable (inout ServerBytes) -> Void
    ) -> FalseStreamServer {
        FalseStreamServer(name, word: word) { $0.answers["START_REPLICATION"] = streaming(make) }
    }

    /// A timeline that ends behind ``good``, with this row and this answer to TIMELINE_HISTORY.
    static func switching(
        _ name: String, to row: [String?] = ["2", good.upperBound.lsn], history: [[String?]] = [], word: String = ""
    ) -> FalseStreamServer {
        FalseStreamServer(name, word: word) { played in
            var bytes = ServerBytes()
            bytes.copyBoth()
            bytes.wal(at: good.lowerBound, filling)
            bytes.copyDone()
            let hold = bytes.bytes.count
            bytes.rows(row.count, [row])
            bytes.complete("START_STREAMING")
            bytes.ready()
            played.answers["START_REPLICATION \(good.lowerBound.lsn) TIMELINE 1"] = .init(bytes.bytes, holdsFrom: hold)
            played.answers["TIMELINE_HISTORY"] = rows(history)
        }
    }

    /// What is right of each stream.
    static let good: ClosedRange<UInt64> = 0x300_0000...0x300_0100
    static let filling = ServerBytes.walPages(at: good.lowerBound, count: 0x100)

    /// What is right, what `make` adds, and then nothing more: the connection stays.
    static func streaming(
        timeline: UInt32 = 1, _ make: (inout ServerBytes) -> Void
    ) -> ScriptedServer.Answer {
        var bytes = ServerBytes()
        bytes.copyBoth()
        bytes.wal(
            at: good.lowerBound, ServerBytes.walPages(at: good.lowerBound, count: filling.count, timeline: timeline))
        make(&bytes)
        return .init(bytes.bytes, holdsFrom: bytes.bytes.count)
    }

    /// What is right, and the end of the connection as soon as it is acknowledged.
    static func dyingStream(timeline: UInt32 = 1) -> ScriptedServer.Answer {
        var answer = streaming(timeline: timeline) { _ in }
        answer.holdsFrom = nil
        answer.talk = { try $0.waitUntilFlushed(good.upperBound) }
        answer.endsConnection = true
        return answer
    }

    static func rows(_ rows: [[String?]]) -> ScriptedServer.Answer {
        var bytes = ServerBytes()
        bytes.rows(rows.first?.count ?? 2, rows)
        bytes.ready()
        return .init(bytes.bytes)
    }
}

/// A server, and a directory that it must not spoil.
struct FalseStreamTest {
    let server: ScriptedServer
    let target: WALTarget

    init(_ servers: PlayedServer...) throws {
        server = try PlayedServer.serve(servers)
        target = try WALTarget()
    }

    init(_ what: FalseStreamServer) throws {
        var played = PlayedServer(.v16)
        what.make(&played)
        try self.init(played)
    }

    func run(_ arguments: [String]) throws -> ProgramResult {
        try target.run(server, ["--start-lsn", FalseStreamServer.good.lowerBound.lsn] + arguments)
    }

    /// Expects files of an archive and no others, and on disk what was acknowledged.
    func expectSound(_ result: ProgramResult) throws {
        target.expectNothingOutside("\(result)")
        for name in target.names {
            #expect(name.wholeMatch(of: /[0-9A-F]{24}(\.partial)?|[0-9A-F]{8}\.history|diverged/) != nil, "\(name)")
        }
        let good = FalseStreamServer.good, first = "000000010000000000000003.partial"
        for status in server.statuses {
            #expect(good.contains(status.written) && status.applied == 0, "\(status) \(result)")
            #expect(status.flushed == 0 || good.contains(status.flushed), "\(status) \(result)")
        }
        let flushed = Int((server.statuses.map(\.flushed).max() ?? 0) & 0xFFF)
        guard flushed > 0 else { return }
        let octal = FalseStreamServer.filling.prefix(flushed).map { "\\0" + String($0, radix: 8) }.joined()
        let wanted = try Program.check("/bin/sh", ["-c", "printf '%b' '\(octal)' | sha256sum"]).output.prefix(64)
        #expect(try target.look(at: first, bytes: flushed).sha256 == wanted, "\(result)")
    }
}
