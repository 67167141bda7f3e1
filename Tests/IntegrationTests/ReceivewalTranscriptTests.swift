import Foundation
import Glibc
import Testing
import Understudy
import UnderstudyTestSupport

/// WAL from servers that cannot be installed here: what they streamed, recorded, goes through the real libpq into an
/// archive.
@Suite struct ReceivewalTranscriptTests {
    @Test(arguments: Recording.versions)
    func `a recorded stream becomes segments, and is acknowledged to its end`(version: String) throws {
        let recording = try Recording(version), target = try WALTarget()
        let (facts, range) = try recording.stream("31-start-replication")
        let server = try recording.serveStream { _ in try recording.answer("31-start-replication") }
        let result = try target.run(
            server, ["-n", "--start-lsn", facts.start_lsn, "-E", (range.upperBound - 1).lsn])
        #expect(result.status == 0, "\(result)")
        try target.expectSegments(facts.segments, of: recording.meta.segment_size)
        target.expectNothingOutside()
        server.expectAcknowledged(range)
        #expect(server.statuses.last?.flushed == range.upperBound)
        #expect(server.streams == ["START_REPLICATION \(facts.start_lsn) TIMELINE 1"])

        let text = result.errorOutput
        #expect(text.contains("starting log streaming at \(facts.start_lsn) (timeline 1)\n"))
        for end in [1, 2].map({ range.lowerBound + UInt64($0 * recording.meta.segment_size) }) {
            #expect(text.contains("finished segment at \(end.lsn) (timeline 1)\n"))
        }
        #expect(text.contains("not renaming \"\(facts.segments[2].name).partial\", segment is not complete\n"))
        #expect(!text.contains("error") && !text.contains("warning"), "\(text)")
    }

    /// Without an interval nothing is told but what moves and what is asked for: each keepalive gets its own answer.
    @Test(arguments: Recording.versions(with: "33-start-replication-idle"))
    func `a keepalive that asks is answered at once, and the stream stays open until a signal`(version: String) throws {
        let recording = try Recording(version), target = try WALTarget()
        let (facts, range) = try recording.stream("33-start-replication-idle")
        let messages = try recording.wholeMessages("33-start-replication-idle")
        let answers = Locked<[(sent: UInt64, said: ScriptedServer.Status)]>([])
        let onDisk = Locked<String?>(nil)
        let server = try recording.serveStream { _ in
            var answer = ScriptedServer.Answer([])
            answer.talk = { talk in
                var end = range.lowerBound
                for message in messages {
                    if message.type == "c" { try talk.waitForCopyDone() }
                    try talk.send(message.bytes)
                    if let wal = message.wal {
                        end = wal.upperBound
                        try talk.waitUntilFlushed(end)
                        if end == range.upperBound {
                            let segment = facts.segments[0]
                            let found = try target.look(at: "\(segment.name).partial", bytes: segment.bytes)
                            onDisk.withLock { $0 = found.sha256 }
                        }
                    } else if message.asksForReply {
                        guard let said = try talk.status() else { return }
                        answers.withLock { [end] in $0.append((end, said)) }
                    }
                }
            }
            return answer
        }
        let program = try target.start(server, ["-s", "0", "--start-lsn", facts.start_lsn])
        try eventually("all is acknowledged", polls: 3000) { onDisk.withLock { $0 != nil } }
        program.send(SIGINT)
        let result = program.wait()
        #expect(result.status == 0, "\(result)")
        let asked = messages.filter(\.asksForReply)
        #expect(!asked.isEmpty)
        #expect(answers.withLock { $0.count } == asked.count)
        for (sent, said) in answers.withLock({ $0 }) { #expect(said.written == sent && said.flushed == sent) }
        // It was there when the server heard of it.
        #expect(onDisk.withLock { $0 } == facts.segments[0].sha256)
        server.expectAcknowledged(range)
        try target.expectSegments(facts.segments, of: recording.meta.segment_size)
    }

    @Test(arguments: Recording.versions(with: "34-timeout-streaming"))
    func `the end of a connection without a word ends -n, and what came is kept`(version: String) throws {
        let (target, server, facts, range) = try streamToItsEnd(version, "34-timeout-streaming")
        let result = try target.run(server, ["-n", "--start-lsn", facts.start_lsn])
        expectRefused(result, "connection to server was lost", "The server's log")
        server.expectAcknowledged(range)
        try target.expectSegments(facts.segments, of: try Recording(version).meta.segment_size)
    }

    @Test(arguments: Recording.versions(with: "70-shutdown-streaming"))
    func `a server that shuts down gets its last bytes acknowledged`(version: String) throws {
        let (target, server, facts, range) = try streamToItsEnd(version, "70-shutdown-streaming")
        let result = try target.run(server, ["-n", "--start-lsn", facts.start_lsn])
        #expect(result.status == 1, "\(result)")
        #expect(result.errorOutput.contains("error: disconnected"), "\(result)")
        server.expectAcknowledged(range)
        #expect(server.statuses.last?.flushed == range.upperBound)
        try target.expectSegments(facts.segments, of: try Recording(version).meta.segment_size)
    }

    /// A server that ends as recorded, once all its WAL is on our disk: one that shuts down waits for that.
    private func streamToItsEnd(
        _ version: String, _ session: String
    ) throws -> (WALTarget, ScriptedServer, Recording.Stream, ClosedRange<UInt64>) {
        let recording = try Recording(version)
        let (facts, range) = try recording.stream(session)
        let messages = try recording.wholeMessages(session)
        let end = messages.lastIndex { $0.streamKind != nil }! + 1
        let server = try recording.serveStream { _ in
            var answer = ScriptedServer.Answer(messages[..<end].flatMap(\.bytes), endsConnection: true)
            answer.talk = { try $0.waitUntilFlushed(range.upperBound) }
            answer.tail = messages[end...].flatMap(\.bytes)
            return answer
        }
        return (try WALTarget(), server, facts, range)
    }

    @Test(arguments: Recording.versions(with: "43-start-replication-tli1"))
    func `the stream follows the server onto its next timeline`(version: String) throws {
        let recording = try Recording(version), target = try WALTarget(), size = recording.meta.segment_size
        let (old, oldRange) = try recording.stream("43-start-replication-tli1")
        let (new, newRange) = try recording.stream("44-start-replication-tli2")
        let server = try recording.serveStream(login: "40-startup-promoted", identity: "41-identify-system-promoted") {
            try recording.answer(
                $0.hasSuffix("TIMELINE 1") ? "43-start-replication-tli1" : "44-start-replication-tli2")
        }
        let result = try target.run(
            server, ["-n", "--start-lsn", old.start_lsn, "-E", (newRange.upperBound - 1).lsn])
        #expect(result.status == 0, "\(result)")
        let history = recording.meta.promoted.history_file
        try target.expectSegments(old.segments + new.segments, of: size, and: [history])
        #expect(try target.look(at: history, bytes: 1 << 20).sha256 == recording.meta.promoted.history_sha256)
        target.expectNothingOutside()

        #expect(
            server.streams == [
                "START_REPLICATION \(old.start_lsn) TIMELINE 1", "START_REPLICATION \(new.start_lsn) TIMELINE 2",
            ])
        #expect(server.commands.contains("TIMELINE_HISTORY 2"))
        // What is told of the new timeline begins at the segment's start.
        let statuses = server.statuses
        #expect(statuses.allSatisfy { $0.applied == 0 && $0.flushed <= $0.written })
        #expect(statuses.allSatisfy { oldRange.contains($0.written) || newRange.contains($0.written) })
        #expect(statuses.last?.flushed == newRange.upperBound)

        let text = result.errorOutput
        #expect(text.contains("not renaming \"\(old.segments[0].name).partial\", segment is not complete\n"), "\(text)")
        #expect(text.contains("switched to timeline 2 at "), "\(text)")
        #expect(text.contains("(timeline 2)\n"), "\(text)")
        #expect(!text.contains("error") && !text.contains("warning"), "\(text)")
    }

    // MARK: - Cuts

    /// Where the first connection ends: in the first message, behind one, in the middle of the second segment, at its end,
    /// and in the last message.
    private static let cuts: [@Sendable ([Recording.Message]) -> Int] = [
        { $0[0].bytes.count + 20 }, { count($0[..<(pieces($0) / 4)]) },
        { count($0[..<(pieces($0) * 3 / 4)]) + 4711 }, { count($0[..<pieces($0)]) },
        { count($0[...pieces($0)]) - 1 },
    ]

    /// The messages with WAL; the last one is all that there is of the third segment.
    private static func pieces(_ messages: [Recording.Message]) -> Int { messages.count { $0.wal != nil } }

    private static func count(_ messages: ArraySlice<Recording.Message>) -> Int {
        messages.reduce(0) { $0 + $1.bytes.count }
    }

    @Test(arguments: cuts.indices, ["9.3", "12"])
    func `a connection that is cut is made again, and nothing is missing`(cut: Int, version: String) throws {
        let recording = try Recording(version), target = try WALTarget()
        let (facts, range) = try recording.stream("31-start-replication")
        let messages = try recording.wholeMessages("31-start-replication")
        let place = Self.cuts[cut](messages)
        let streams = Locked(0)
        let server = try recording.serveStream { command in
            let number = streams.withLock { streams in
                streams += 1
                return streams
            }
            guard number == 1 else {
                return try recording.answer("31-start-replication", from: Recording.start(of: command))
            }
            let bytes = try recording.response("31-start-replication")
            return ScriptedServer.Answer(Array(bytes[..<place]), endsConnection: true)
        }
        let result = try target.run(
            server, ["--start-lsn", facts.start_lsn, "-E", (range.upperBound - 1).lsn])
        #expect(result.status == 0, "\(result)")
        try target.expectSegments(facts.segments, of: recording.meta.segment_size)
        #expect(server.streams.count == 2, "\(server.streams)")
        #expect(result.errorOutput.contains("to try again"), "\(result)")
        #expect(server.statuses.allSatisfy { $0.flushed <= range.upperBound && $0.flushed <= $0.written })
        #expect(server.statuses.last?.flushed == range.upperBound)
    }
}
