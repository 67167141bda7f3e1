import Foundation
import Testing
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyConnection

/// A server that says more than any server does, or never stops.
@Suite("What a server may send at most")
struct HostileInputTests {
    /// Counts what a server could send before the client was gone.
    private final class Sent: Sendable {
        let bytes = Locked(0)

        /// `piece` again and again, so often.
        func pieces(_ piece: [UInt8], _ count: Int) -> @Sendable () -> AnySequence<[UInt8]> {
            let bytes = bytes
            return {
                AnySequence(
                    (0..<count).lazy.map { _ in
                        bytes.withLock { $0 += piece.count }
                        return piece
                    })
            }
        }
    }

    private let sent = Sent()
    private let interrupt = Interrupt()

    private func connect(
        to server: ScriptedServer, notices: @escaping @Sendable (ServerMessage) -> Void = { _ in }
    ) throws -> Session {
        try Session.connect(
            ConnectionParameters("host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable"),
            kind: .replication, applicationName: "understudy", interrupt: interrupt, notices: notices)
    }

    private func server(_ answer: ScriptedServer.Answer) throws -> ScriptedServer {
        var welcome = ServerBytes()
        welcome.welcome(version: "18.1")
        return try ScriptedServer(startup: .init(welcome.bytes)) { _ in answer }
    }

    /// A session whose server has begun a copy.
    private func stream(from server: ScriptedServer) throws -> Session {
        let session = try connect(to: server)
        try session.send("START_REPLICATION")
        #expect(try session.nextResult() == .copyBoth)
        return session
    }

    /// The head of one column's rows.
    private static let head: [UInt8] = {
        var bytes = ServerBytes()
        bytes.rows(1, [])
        // Without the end of the command.
        return Array(bytes.bytes.dropLast(5 + "SELECT".utf8.count + 1))
    }()

    private static let mebibyte = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)

    @Test("a row that is said to have 400 MB is refused when a little of it has come")
    func largeField() throws {
        let length = 400 << 20
        var answer = ScriptedServer.Answer(
            Self.head + [UInt8(ascii: "D")] + ServerBytes.integer(UInt32(length + 10)) + ServerBytes.integer(UInt16(1))
                + ServerBytes.integer(UInt32(length)))
        answer.pieces = sent.pieces(Self.mebibyte, 400)
        let session = try connect(to: server(answer))
        let error = #expect(throws: ConnectionError.self) { _ = try session.run("IDENTIFY_SYSTEM") }
        #expect(error?.message == "server sent more than 2097152 bytes without completing a message")
        // What did not come to us waits in the kernel's buffers.
        #expect(sent.bytes.withLock { $0 } < 64 << 20)
    }

    @Test("rows without end are refused")
    func manyRows() throws {
        var row = ServerBytes()
        row.rows(1, [["0123456789"]])
        let content = Array(row.bytes.dropFirst(Self.head.count).dropLast(5 + "SELECT".utf8.count + 1))
        var answer = ScriptedServer.Answer(Self.head)
        answer.pieces = sent.pieces(Array([[UInt8]](repeating: content, count: 1000).joined()), 20_000)
        let session = try connect(to: server(answer))
        let error = #expect(throws: ConnectionError.self) { _ = try session.run("IDENTIFY_SYSTEM") }
        #expect(error?.message == "server sent rows of more than 8388608 bytes in answer to one command")
    }

    @Test("more columns than a query can have are refused")
    func manyColumns() throws {
        var rows = ServerBytes()
        rows.rows(1665, [])
        rows.ready()
        let session = try connect(to: server(.init(rows.bytes)))
        let error = #expect(throws: ConnectionError.self) { _ = try session.run("IDENTIFY_SYSTEM") }
        #expect(error?.message.contains("1665 columns") == true)
    }

    @Test("a field that is longer than any text of a server is refused")
    func longField() throws {
        var rows = ServerBytes()
        rows.rows(1, [[String(repeating: "x", count: (64 << 10) + 1)]])
        rows.ready()
        let session = try connect(to: server(.init(rows.bytes)))
        let error = #expect(throws: ConnectionError.self) { _ = try session.run("SHOW x") }
        #expect(error?.message == "server sent a field of 65537 bytes, which are more than 65536")
    }

    @Test("result sets without end are refused")
    func manySets() throws {
        var rows = ServerBytes()
        rows.rows(1, [])
        var answer = ScriptedServer.Answer([])
        answer.pieces = sent.pieces(rows.bytes, 100_000)
        let session = try connect(to: server(answer))
        let error = #expect(throws: ConnectionError.self) { _ = try session.run("IDENTIFY_SYSTEM") }
        #expect(error?.message == "server answered IDENTIFY_SYSTEM with more than 100 result sets")
    }

    @Test("copy data that is said to have 1 GB is refused")
    func largeCopyData() throws {
        var begin = ServerBytes()
        begin.copyBoth()
        begin.keepalive(at: 1, asksForReply: false)
        var answer = ScriptedServer.Answer(begin.bytes + [UInt8(ascii: "d")] + ServerBytes.integer(UInt32(1 << 30)))
        answer.pieces = sent.pieces(Self.mebibyte, 1024)
        let session = try stream(from: server(answer))
        let error = #expect(throws: ConnectionError.self) {
            while try session.takeCopyData(failure: { $0 }, { _ throws(ConnectionError) in }) == .data {}
        }
        #expect(error?.message == "server sent more than 2097152 bytes without completing a message")
        #expect(sent.bytes.withLock { $0 } < 64 << 20)
    }

    @Test("parameters that change without end are refused, whatever is sent between them")
    func parameters() throws {
        var piece = ServerBytes()
        for number in 0..<20 {
            let value = [UInt8](repeating: UInt8(ascii: "v"), count: 20_000) + [0]
            piece.message("S", ServerBytes.string("name\(number)") + value)
        }
        piece.keepalive(at: 1, asksForReply: false)
        var begin = ServerBytes()
        begin.copyBoth()
        var answer = ScriptedServer.Answer(begin.bytes)
        answer.pieces = sent.pieces(piece.bytes, 1000)
        let session = try stream(from: server(answer))
        let error = #expect(throws: ConnectionError.self) {
            while try session.takeCopyData(failure: { $0 }, { _ throws(ConnectionError) in }) == .data {}
        }
        #expect(error?.code == .protocolViolation)
    }

    private static let tooMuchLogin = "sent or announced more than 1048576 bytes before the login was complete"

    @Test("a login that never ends is refused")
    func login() throws {
        var parameter = ServerBytes()
        parameter.message("S", ServerBytes.string("a") + ServerBytes.string("b"))
        var answer = ScriptedServer.Answer([UInt8(ascii: "R"), 0, 0, 0, 8, 0, 0, 0, 0])
        answer.pieces = sent.pieces(Array([[UInt8]](repeating: parameter.bytes, count: 10_000).joined()), 1000)
        let startup = answer
        let server = try ScriptedServer(startup: startup) { _ in .init([]) }
        let error = #expect(throws: ConnectionError.self) { _ = try connect(to: server) }
        #expect(error?.message.contains(Self.tooMuchLogin) == true)
    }

    @Test("a login with a message that is said to have 1 GB is refused when a little of it has come")
    func largeLogin() throws {
        var answer = ScriptedServer.Answer(
            [UInt8(ascii: "R"), 0, 0, 0, 8, 0, 0, 0, 0, UInt8(ascii: "N")] + ServerBytes.integer(UInt32(0x3FFF_FF00)))
        answer.pieces = sent.pieces(Self.mebibyte, 1024)
        let startup = answer
        let server = try ScriptedServer(startup: startup) { _ in .init([]) }
        let error = #expect(throws: ConnectionError.self) { _ = try connect(to: server) }
        #expect(error?.message.contains(Self.tooMuchLogin) == true)
        #expect(sent.bytes.withLock { $0 } < 64 << 20)
    }

    private func endlessStream() throws -> Session {
        var begin = ServerBytes(), piece = ServerBytes()
        begin.copyBoth()
        for _ in 0..<1000 { piece.keepalive(at: 1, asksForReply: false) }
        var answer = ScriptedServer.Answer(begin.bytes)
        answer.pieces = sent.pieces(piece.bytes, .max)
        return try stream(from: server(answer))
    }

    @Test("messages without end let an interrupt through")
    func endlessMessages() throws {
        let session = try endlessStream()
        var count = 0
        let error = #expect(throws: ConnectionError.self) {
            while try session.takeCopyData(failure: { $0 }, { _ throws(ConnectionError) in }) == .data {
                count += 1
                if count == 5000 { interrupt.raise() }
            }
        }
        #expect(error?.code == .interrupted)
        #expect(count == 5000)
    }

    @Test("messages without end let a wake-up through")
    func wakeUp() throws {
        let session = try endlessStream()
        let wakeUp = Interrupt()
        wakeUp.raise()
        #expect(
            try session.takeCopyData(wakeUps: [wakeUp], failure: { $0 }, { _ throws(ConnectionError) in })
                == .woken(0))
        wakeUp.clear()
        #expect(
            try session.takeCopyData(wakeUps: [wakeUp], failure: { $0 }, { _ throws(ConnectionError) in }) == .data)
    }

    @Test("notices without end do not keep a command that is not interrupted for ever")
    func shielded() throws {
        var notice = ServerBytes()
        notice.message("N", ServerBytes.string("SNOTICE").dropLast() + [0, 0])
        var answer = ScriptedServer.Answer([])
        answer.pieces = sent.pieces(notice.bytes, .max)
        let session = try connect(to: server(answer))
        interrupt.raise()
        let error = #expect(throws: ConnectionError.self) {
            _ = try session.runShielded("DROP_REPLICATION_SLOT x", until: .now + .milliseconds(50))
        }
        #expect(error?.message == "server did not answer in time")
    }

    @Test("what is no answer is waited for ten times as long as silence", arguments: [true, false])
    func talk(isEmptyQuery: Bool) throws {
        var piece = ServerBytes()
        if isEmptyQuery {
            piece.message("I", [])
        } else {
            piece.message("N", ServerBytes.string("SNOTICE").dropLast() + [0, 0])
        }
        var answer = ScriptedServer.Answer([])
        answer.pieces = sent.pieces(piece.bytes, .max)
        let session = try connect(to: server(answer))
        session.silenceLimit = SilenceLimit(limit: .seconds(300), .failure)
        try session.send("IDENTIFY_SYSTEM")
        if isEmptyQuery { #expect(try session.nextResult() == .command) }
        // As if so much time had passed since the first answer was waited for.
        session.answeringSince = try (isEmptyQuery ? #require(session.answeringSince) : .now) - .seconds(3000)
        let error = #expect(throws: ConnectionError.self) {
            while try session.nextResult() == .command {}
        }
        #expect(error?.code == .stalled)
        #expect(error?.message == "server is there, but has not completed its answer in 3000 s")
    }

    @Test("where a server may be silent with a reason it may talk meanwhile")
    func talkWithReason() throws {
        var bytes = ServerBytes()
        for _ in 0..<1000 {
            bytes.message("I", [])
            bytes.message("N", ServerBytes.string("SNOTICE").dropLast() + [0, 0])
        }
        bytes.complete("X")
        bytes.ready()
        let session = try connect(to: server(.init(bytes.bytes)))
        session.silenceLimit = SilenceLimit(limit: .zero, .inquiry { () throws(ConnectionError) in })
        #expect(try session.run("X").isEmpty)
    }

    @Test("a long notice is cut")
    func longNotice() throws {
        var bytes = ServerBytes()
        bytes.message(
            "N",
            Array("SNOTICE".utf8) + [0] + Array("M".utf8) + [UInt8](repeating: UInt8(ascii: "n"), count: 100_000) + [
                0, 0,
            ])
        bytes.complete("X")
        bytes.ready()
        let heard = Locked<[ServerMessage]>([])
        let session = try connect(to: server(.init(bytes.bytes))) { message in heard.withLock { $0.append(message) } }
        _ = try session.run("X")
        let message = try #require(heard.withLock { $0.first }).message
        #expect(message == String(repeating: "n", count: 16384) + "... (cut here)")
    }

    @Test("while the server does not read, the newest status alone waits for it")
    func statuses() throws {
        var begin = ServerBytes(), end = ServerBytes()
        begin.copyBoth()
        end.copyDone()
        end.complete("START_REPLICATION")
        end.ready()
        let reads = Interrupt()
        var answer = ScriptedServer.Answer(begin.bytes)
        answer.talk = { talk in
            _ = Interrupt.wait(socket: -1, events: 0, interrupts: [reads], timeout: nil)
            try talk.waitForCopyDone()
        }
        answer.tail = end.bytes
        let server = try server(answer)
        let session = try stream(from: server)
        var position: UInt64 = 0, isSent = true
        while isSent {
            position += 1
            isSent = try session.sendStatus(status(position))
        }
        for _ in 0..<1000 {
            position += 1
            #expect(try !session.sendStatus(status(position)))
        }
        reads.raise()
        try session.endCopy()
        while try session.takeCopyData(failure: { $0 }, { _ throws(ConnectionError) in }) != .ended {}
        let told = server.statuses.map(\.flushed)
        #expect(told.last == position)
        #expect(told.count == Int(position) - 1000)
        #expect(session.reportedFlushed.rawValue == position)
    }

    @Test("while the server does not read, no more is read ahead of what is taken than before")
    func readAhead() throws {
        var begin = ServerBytes(), message = ServerBytes()
        begin.copyBoth()
        message.data([UInt8](repeating: 0, count: 64 << 10))
        var answer = ScriptedServer.Answer(begin.bytes)
        answer.pieces = sent.pieces(message.bytes, .max)
        let session = try stream(from: server(answer))
        var position: UInt64 = 0, taken = 0, furthest = 0
        while try session.sendStatus(status(position)) { position += 1 }
        while taken < 128 << 20 {
            let step = try session.takeCopyData(
                failure: { $0 }, { bytes throws(ConnectionError) in taken += bytes.byteCount })
            #expect(step == .data)
            position += 1
            _ = try session.sendStatus(status(position))
            furthest = max(furthest, sent.bytes.withLock { $0 } - taken)
        }
        // What the kernel holds for both sides, and little more.
        #expect(furthest < 24 << 20)
    }

    private func status(_ position: UInt64) -> StandbyStatus {
        StandbyStatus(written: LSN(rawValue: position), flushed: LSN(rawValue: position), replyRequested: false)
    }
}
