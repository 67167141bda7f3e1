import Foundation
import Glibc
import Testing
import Understudy
import UnderstudyTestSupport

/// Servers whose answers and streams are not what they should be, as they come to an archiver.
@Suite struct ReceivewalHostileTests {
    private typealias Case = FalseStreamServer
    private static let good = FalseStreamServer.good, filling = FalseStreamServer.filling

    // MARK: - Answers

    private static let answers: [Case] =
        (["x", "", nil, "1/100000000"] as [String?]).map { text in
            Case("position \(text ?? "NULL") in IDENTIFY_SYSTEM", word: "WAL position") { $0.identity[0][2] = text }
        }
        + (["0", "-1", "4294967296", nil] as [String?]).map { text in
            Case("timeline \(text ?? "NULL") in IDENTIFY_SYSTEM", word: "timeline") { $0.identity[0][1] = text }
        }
        + (["big", "0", "17MB", "3MB", "2GB", "512kB", ""] as [String]).map { text in
            Case("segment size \(text)", word: "segment size") { $0.segmentSize = [[text]] }
        }
        + [
            Case("no system identifier", word: "system identifier") { $0.identity[0][0] = nil },
            Case("a system identifier of letters", word: "system identifier") { $0.identity[0][0] = "abc" },
            Case("too few columns in IDENTIFY_SYSTEM", word: "IDENTIFY_SYSTEM") { $0.identity = [["1", "1"]] },
            Case("no row in IDENTIFY_SYSTEM", word: "IDENTIFY_SYSTEM") { $0.identity = [] },
            Case("two rows in IDENTIFY_SYSTEM", word: "IDENTIFY_SYSTEM") { $0.identity += $0.identity },
            Case("no segment size", word: "wal_segment_size") { $0.segmentSize = [] },
            Case("a directory mode that is none", word: "data_directory_mode") { $0.directoryMode = [["0777"]] },
        ]

    private static let slots: [Case] =
        ([
            ("a position that is none", [["physical", "x", "1"]], "WAL position"),
            ("a timeline that is none", [["physical", "0/3000000", "x"]], "timeline"),
            ("too few columns", [["physical", "0/3000000"]], "READ_REPLICATION_SLOT"),
            ("no row", [], "READ_REPLICATION_SLOT"),
            ("two rows", [["physical", nil, nil], ["physical", nil, nil]], "READ_REPLICATION_SLOT"),
            ("a logical slot", [["logical", "0/3000000", "1"]], "logical slot"),
            ("no slot", [[nil, nil, nil]], "does not exist"),
        ] as [(String, [[String?]], String)]).map { name, rows, word in
            Case("READ_REPLICATION_SLOT: \(name)", word: word, arguments: ["-S", "mine"]) {
                $0.answers["READ_REPLICATION_SLOT"] = Case.rows(rows)
            }
        }

    // MARK: - Streams

    /// Other bytes in the place of ``FalseStreamServer/filling``.
    private static func other(_ name: String, word: String, _ bytes: () -> [UInt8]) -> Case {
        let content = bytes()
        return Case(name, word: word) {
            var stream = ServerBytes()
            stream.copyBoth()
            // In pieces, as it may come.
            stream.wal(at: good.lowerBound, Array(content[..<10]))
            stream.wal(at: good.lowerBound + 10, Array(content[10...]))
            $0.answers["START_REPLICATION"] = .init(stream.bytes, holdsFrom: stream.bytes.count)
        }
    }

    private static let streams: [Case] = [
        .stream("WAL that skips", word: "expected 0/3000100") { $0.wal(at: 0x300_0200, filling) },
        .stream("WAL that repeats", word: "expected 0/3000100") { $0.wal(at: good.lowerBound, filling) },
        .stream("WAL that goes backwards", word: "from 0/2FFFF00") { $0.wal(at: 0x2FF_FF00, filling) },
        .stream("WAL that overlaps", word: "from 0/3000080") { $0.wal(at: 0x300_0080, filling) },
        .stream("WAL from the last position", word: "FFFFFFFF/FFFFFF00") { $0.wal(at: UInt64.max - 0xFF, filling) },
        Case("WAL before the start", word: "expected 0/3000000") {
            var bytes = ServerBytes()
            bytes.copyBoth()
            bytes.wal(at: 0x2FF_FF00, filling)
            $0.answers["START_REPLICATION"] = .init(bytes.bytes, holdsFrom: bytes.bytes.count)
        },
        other("WAL of another place", word: "its first page is of position 0/5000000") {
            ServerBytes.walPages(at: 0x500_0000, count: 0x100)
        },
        other("WAL of another system", word: "its first page is of system identifier 77") {
            ServerBytes.walPages(at: good.lowerBound, count: 0x100, system: "77")
        },
        other("WAL of another timeline", word: "its first page is of timeline 2") {
            ServerBytes.walPages(at: good.lowerBound, count: 0x100, timeline: 2)
        },
        other("WAL with segments of another size", word: "its first page is of a segment size of 16 bytes") {
            var page = filling
            page.replaceSubrange(32..<36, with: [16, 0, 0, 0])
            return page
        },
        other("zeros", word: "server sent no WAL in place of segment \"000000010000000000000003\"") {
            [UInt8](repeating: 0, count: 0x100)
        },
        .stream("a message of unknown kind", word: "unknown kind") { $0.data(Array("zabc".utf8)) },
        .stream("a WAL message without its header", word: "too short") { $0.data(Array("wabc".utf8)) },
        .stream("a keepalive that is too short", word: "keepalive") { $0.data(Array("kabc".utf8)) },
        .stream("an error", word: "out of memory") { $0.error("53200", "out of memory") },
        .stream("a fatal error", word: "administrator") { $0.error("57P01", "end", severity: "FATAL") },
        .stream("rows", word: "START_REPLICATION") {
            $0.rows(1, [["x"]])
            $0.ready()
        },
        .stream("the end of the command", word: "disconnected") {
            $0.complete("START_STREAMING")
            $0.ready()
        },
        .stream("a message of 4 GB") { $0.message("d", [119], length: 0xFFFF_FFFF) },
        .stream("a message of length 3") { $0.message("d", [], length: 3) },
        Case("no copy in answer to START_REPLICATION", word: "disconnected") {
            var bytes = ServerBytes()
            bytes.complete("START_STREAMING")
            bytes.ready()
            $0.answers["START_REPLICATION"] = .init(bytes.bytes)
        },
        Case("a copy that is over at once", word: "disconnected") {
            var bytes = ServerBytes()
            bytes.copyBoth()
            bytes.copyDone()
            let hold = bytes.bytes.count
            bytes.complete("COPY 0")
            bytes.ready()
            $0.answers["START_REPLICATION"] = .init(bytes.bytes, holdsFrom: hold)
        },
        Case("a copy in one direction") {
            var bytes = ServerBytes()
            bytes.copyOut()
            bytes.wal(at: good.lowerBound, filling)
            $0.answers["START_REPLICATION"] = .init(bytes.bytes, endsConnection: true)
        },
    ]

    // MARK: - Timelines

    private static func history(_ content: String?, name: String = "00000002.history") -> [[String?]] {
        [[name, content]]
    }

    private static let timelines: [Case] =
        [
            .switching("a next timeline that is lower", to: ["0", good.upperBound.lsn], word: "timeline"),
            .switching("a next timeline that is the same", to: ["1", good.upperBound.lsn], word: "timeline 1"),
            .switching("a next timeline from ahead", to: ["2", "0/9000000"], word: "0/9000000"),
            .switching("a next timeline that is none", to: ["x", "y"], word: "timeline"),
            .switching("a next timeline without a position", to: ["2"], word: "START_REPLICATION"),
            .switching(
                "a history under another name", history: history("1\t0/3000100\tx\n", name: "../x"),
                word: "TIMELINE_HISTORY"),
            .switching(
                "the history of another timeline", history: history("1\t0/3000100\tx\n", name: "00000003.history"),
                word: "TIMELINE_HISTORY"),
            .switching("no history", word: "TIMELINE_HISTORY"),
            .switching("a history without content", history: history(nil), word: "TIMELINE_HISTORY"),
            .switching("an empty history", history: history(""), word: "history file"),
            .switching("a history that is none", history: history("\u{1}\u{2}garbage"), word: "history file"),
            .switching("a history that is cut off", history: history("1\t0/300"), word: "history file"),
            .switching("a history of another switch", history: history("1\t0/3000080\tx\n"), word: "history"),
            .switching(
                "a history without our timeline", to: ["3", good.upperBound.lsn],
                history: history("2\t0/3000100\tx\n", name: "00000003.history"), word: "history"),
        ]
        + [
            (history("", name: "../x"), "TIMELINE_HISTORY"), (history(nil), "TIMELINE_HISTORY"),
            (history("x"), "history file"), ([], "TIMELINE_HISTORY"),
        ].map { rows, word in
            Case("history \(rows) at the start", word: word) {
                $0.identity[0][1] = "2"
                $0.answers["TIMELINE_HISTORY"] = Case.rows(rows)
            }
        }

    // MARK: - The wire

    private static let wire: [Case] = [
        "startup", "IDENTIFY_SYSTEM", "SHOW wal_segment_size", "START_REPLICATION", "TIMELINE_HISTORY",
    ].flatMap { command in
        let answers: [(String, ScriptedServer.Answer)] = [
            ("garbage", .init([UInt8](repeating: 0xAA, count: 4096), endsConnection: true)),
            ("a message of 4 GB", .init(message(length: 0xFFFF_FFFF), endsConnection: true)),
            ("a message of length 3", .init(message(length: 3), endsConnection: true)),
            ("half a message", .init(message(length: 100), endsConnection: true)),
            ("the end", .init([], endsConnection: true)),
        ]
        return answers.map { name, answer in
            Case("\(name) in answer to \(command)") {
                $0.answers[command] = answer
                if command == "TIMELINE_HISTORY" { $0.identity[0][1] = "2" }
            }
        }
    }

    private static func message(length: UInt32) -> [UInt8] {
        var bytes = ServerBytes()
        bytes.message("T", [0], length: length)
        return bytes.bytes
    }

    @Test(arguments: answers + slots + streams + timelines + wire)
    func `what no server should send ends -n with an error, and spoils nothing`(what: FalseStreamServer) throws {
        let test = try FalseStreamTest(what)
        let result = try test.run(["-n"] + what.arguments)
        #expect(result.status == 1, "\(result)")
        #expect(result.errorOutput.contains("error: "), "\(result)")
        #expect(what.word.isEmpty || result.errorOutput.contains(what.word), "\(result)")
        try test.expectSound(result)
    }

    // MARK: - Odd, but harmless

    private static let harmless: [Case] = [
        // libpq drops such messages.
        .stream("a message of length 0") { $0.data([]) },
        .stream("a message of newer servers") { $0.data(Array("sabc".utf8)) },
        .stream("WAL of length 0") { $0.wal(at: good.upperBound, []) },
        .stream("a warning") { $0.message("N", Array("SWARNING\0C01000\0Mcareful\0\0".utf8)) },
        .stream("a setting") { $0.message("S", Array("application_name\0x\0".utf8)) },
        .stream("keepalives from elsewhere") {
            for position in [0, 1, UInt64.max] { $0.keepalive(at: position, asksForReply: true) }
        },
        Case("more columns than are known") { $0.identity[0].append("new") },
    ]

    @Test(arguments: harmless)
    func `what is odd but harmless is no error`(what: FalseStreamServer) throws {
        let test = try FalseStreamTest(
            FalseStreamServer(what.testDescription) { played in
                what.make(&played)
                // Behind it, what the run waits for.
                var answer = played.answers["START_REPLICATION"] ?? Case.streaming { _ in }
                var more = ServerBytes()
                more.wal(at: Self.good.upperBound, Self.filling)
                answer.bytes += more.bytes
                answer.holdsFrom = answer.bytes.count
                var end = ServerBytes()
                end.copyDone()
                end.complete("START_STREAMING")
                end.ready()
                answer.tail = end.bytes
                played.answers["START_REPLICATION"] = answer
            })
        let result = try test.run(["-n", "-E", "0/30001FF"])
        #expect(result.status == 0, "\(result)")
        #expect(test.server.statuses.last?.flushed == 0x300_0200)
        #expect(test.target.names == ["000000010000000000000003.partial"])
        if what.testDescription == "a warning" { #expect(result.errorOutput.contains("WARNING:  careful\n")) }
    }

    // MARK: - Keepalives without end

    /// In turns, and many at once: both sides are heard, and a signal is obeyed in the midst of it.
    @Test(arguments: [1, 1000])
    func `keepalives without end are answered, and do not keep a signal from being obeyed`(count: Int) throws {
        let test = try FalseStreamTest(
            FalseStreamServer("") { played in
                var answer = ScriptedServer.Answer(Case.streaming { _ in }.bytes)
                answer.talk = { talk in
                    var bytes = ServerBytes()
                    for _ in 0..<count { bytes.keepalive(at: Self.good.upperBound, asksForReply: true) }
                    while true {
                        try talk.send(bytes.bytes)
                        for _ in 0..<count { if try talk.status() == nil { return } }
                    }
                }
                played.answers["START_REPLICATION"] = answer
            })
        let program = try test.target.start(test.server, ["-n", "--start-lsn", "0/3000000"])
        try eventually("enough is answered", polls: 3000) { test.server.statuses.count > 3000 }
        program.send(SIGINT)
        let result = program.wait()
        #expect(result.status == 0, "\(result)")
        #expect(test.server.statuses.last?.flushed == Self.good.upperBound)
        try test.expectSound(result)
    }

    /// WAL, and at once the question how far we are: it is received, but nobody has synced it yet.
    @Test func `what has just come is not acknowledged as flushed`() throws {
        let said = Locked<[ScriptedServer.Status]>([])
        let test = try FalseStreamTest(
            FalseStreamServer("") { played in
                var answer = ScriptedServer.Answer(
                    Case.streaming { $0.keepalive(at: Self.good.upperBound, asksForReply: true) }.bytes)
                answer.talk = { talk in while let status = try talk.status() { said.withLock { $0.append(status) } } }
                var end = ServerBytes()
                end.copyDone()
                end.complete("START_STREAMING")
                end.ready()
                answer.tail = end.bytes
                played.answers["START_REPLICATION"] = answer
            })
        let program = try test.target.start(test.server, ["-s", "0", "--start-lsn", "0/3000000"])
        try eventually("all is acknowledged", polls: 3000) {
            test.server.statuses.last?.flushed == Self.good.upperBound
        }
        program.send(SIGINT)
        let result = program.wait()
        #expect(result.status == 0, "\(result)")
        let statuses = said.withLock { $0 }
        // The one at the beginning, and the answer.
        for status in statuses.prefix(2) {
            #expect(status.flushed == 0 && status.written == Self.good.lowerBound, "\(statuses)")
        }
        #expect(statuses.count > 2)
        #expect(statuses.last?.flushed == Self.good.upperBound)
    }
}
