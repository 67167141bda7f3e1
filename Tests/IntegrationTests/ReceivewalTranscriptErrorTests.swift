import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// Errors of recorded servers, as they come to an archiver: each with its remedy, and nothing spoilt.
@Suite struct ReceivewalTranscriptErrorTests {
    /// An error, and how an archiver comes to it.
    struct Case: Sendable {
        var session: String
        /// Parts of the hint.
        var cures: [String]
        var arguments: [String] = []
        /// Whether it is the login that fails.
        var isLogin = false
        /// A complete segment of this timeline lies in the archive, just before the position that the session asks for.
        var archived: UInt32?

        static let all = [
            // Only a server that has lost its history lets an archive ask for what it does not have.
            Case(session: "46-error-not-in-history", cures: ["history"], archived: 1),
            Case(session: "50-error-ahead-of-server", cures: ["behind the archive"], archived: 1),
            Case(session: "51-error-segment-never-existed", cures: ["new base backup", "replication slot"]),
            Case(session: "52-error-no-such-slot", cures: ["--create-slot"], arguments: ["-S", "nosuch"]),
            Case(session: "53-error-no-replication-role", cures: ["WITH REPLICATION;"], isLogin: true),
            Case(session: "61-terminated-streaming", cures: ["administrator"]),
            Case(
                session: "62-error-too-many-senders", cures: ["ALTER SYSTEM SET max_wal_senders = 20;"], isLogin: true),
            Case(session: "63-error-segment-removed", cures: ["new base backup", "--start-lsn="]),
            Case(session: "71-error-shutting-down", cures: ["shutting down"], isLogin: true),
        ]
    }

    struct Pair: Sendable, CustomTestStringConvertible {
        var version: String
        var what: Case
        var testDescription: String { "\(version) \(what.session)" }

        static let all = Case.all.flatMap { what in
            // 9.3 has no slots, so none is asked for.
            Recording.versions(with: what.session).filter { what.session.prefix(2) != "52" || $0 != "9.3" }
                .map { Pair(version: $0, what: what) }
        }
    }

    @Test func `all versions and errors are there`() {
        #expect(Pair.all.count == 9 * 14 - 1)
    }

    @Test(arguments: Pair.all)
    func `an error is passed on with its remedy`(pair: Pair) throws {
        let what = pair.what, target = try WALTarget()
        let recording = try Recording(pair.version)
        let size = UInt64(recording.meta.segment_size)
        // A login asks for no position: any will do.
        let session = what.isLogin ? "31-start-replication" : what.session
        let start = try Recording.start(of: recording.query(session)), timeline = what.archived ?? 1
        let isPromoted = what.session.hasPrefix("46")
        let server = try serve(recording, what, isPromoted: isPromoted)
        if what.archived != nil {
            let path = "\(target.directory)/\(Self.segment(start / size - 1, timeline, size))"
            try TestDirectory.write("", to: path)
            let pages = ServerBytes.walPages(
                at: (start / size - 1) * size, count: Int(size), timeline: timeline,
                system: recording.meta.system_identifier, segmentSize: size)
            try Data(pages).write(to: URL(filePath: path))
        }
        let kept = target.names
        let result = try target.run(server, ["-n", "--start-lsn", start.lsn] + what.arguments)
        expectRefused(result, hint: true)
        let words = result.errorOutput
        for remedy in what.cures { #expect(words.contains(remedy), "\(result)") }
        let facts = try #require(recording.meta.transcripts.first { $0.name == what.session })
        for said in facts.errors ?? [] where said.severity != "WARNING" && !what.session.hasPrefix("52") {
            #expect(words.contains(said.message), "\(result)")
        }
        target.expectNothingOutside("\(result)")
        guard !what.session.hasPrefix("61") else { return }
        #expect(target.names == kept)
        // What the archive holds already is told at once.
        let held = what.archived == nil ? 0 : start
        #expect(server.statuses.allSatisfy { $0.flushed == held && $0.written == start }, "\(server.statuses)")
        if !what.isLogin, !what.session.hasPrefix("52") {
            #expect(server.streams.contains("START_REPLICATION \(start.lsn) TIMELINE \(timeline)"))
        }
    }

    @Test(arguments: ["--create-slot", "--drop-slot"])
    func `a server that has no slots yet is told as one, and asked for none`(option: String) throws {
        let recording = try Recording("9.3")
        let server = try recording.serveStream { command in throw SupportError("asked for \(command)") }
        let result = try UnderstudyProgram.run([
            "receivewal", "-d", "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable", "-w",
            "-S", "s", option,
        ])
        expectRefused(result, "server version 9.3.", "has no replication slots", "set wal_keep_segments")
    }

    private func serve(_ recording: Recording, _ what: Case, isPromoted: Bool) throws -> ScriptedServer {
        let login = what.isLogin ? what.session : isPromoted ? "40-startup-promoted" : "01-startup"
        return try recording.serveStream(
            login: login, identity: isPromoted ? "41-identify-system-promoted" : "02-identify-system",
            history: isPromoted ? "45-error-timeline-history-missing" : "42-timeline-history"
        ) { command in
            try recording.answer(
                command.hasPrefix("READ_REPLICATION_SLOT") ? "10-read-slot-missing" : what.session)
        }
    }

    /// The name of a segment by its number.
    private static func segment(_ number: UInt64, _ timeline: UInt32, _ size: UInt64) -> String {
        let perGroup = (1 << 32) / size
        return [UInt64(timeline), number / perGroup, number % perGroup].map { String(format: "%08X", UInt32($0)) }
            .joined()
    }
}
