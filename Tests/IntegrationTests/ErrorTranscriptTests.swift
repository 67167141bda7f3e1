import Testing
import Understudy
import UnderstudyTestSupport

/// Errors of recorded servers, through the real libpq: each version says it in its own way, and the remedy is the same.
@Suite struct ErrorTranscriptTests {
    /// An error, where it comes, and what is made of it.
    struct Case: Sendable, CustomTestStringConvertible {
        var session: String
        /// The command that it answers; nil for the login.
        var command: String?
        var code: UnderstudyError.Code
        /// A part of the hint.
        var remedy: String?

        var testDescription: String { session }

        static let all = [
            Case(
                session: "23-base-backup-long-name", command: "BASE_BACKUP", code: .server, remedy: "at most 99 bytes"),
            Case(
                session: "46-error-not-in-history", command: "START_REPLICATION", code: .wal, remedy: "the same server"),
            Case(
                session: "47-error-unknown-timeline", command: "START_REPLICATION", code: .wal,
                remedy: "the same server"),
            Case(
                session: "50-error-ahead-of-server", command: "START_REPLICATION", code: .wal, remedy: "the same server"
            ),
            Case(
                session: "51-error-segment-never-existed", command: "START_REPLICATION", code: .wal,
                remedy: "wal_keep_size"),
            Case(
                session: "52-error-no-such-slot", command: "START_REPLICATION", code: .slot, remedy: "createIfMissing"),
            Case(
                session: "53-error-no-replication-role", command: nil, code: .authentication,
                remedy: "WITH REPLICATION;"),
            Case(session: "54-error-base-backup-syntax", command: "BASE_BACKUP", code: .server, remedy: "pooler"),
            Case(session: "55-error-base-backup-option", command: "BASE_BACKUP", code: .server, remedy: "pooler"),
            Case(session: "56-error-base-backup-target", command: "BASE_BACKUP", code: .server, remedy: nil),
            Case(session: "57-error-base-backup-unclosed", command: "BASE_BACKUP", code: .server, remedy: "pooler"),
            Case(session: "58-error-unknown-command", command: "IDENTIFY_SYSTEM", code: .server, remedy: "pooler"),
            Case(
                session: "60-terminated-base-backup", command: "BASE_BACKUP", code: .connection,
                remedy: "administrator"),
            Case(
                session: "61-terminated-streaming", command: "START_REPLICATION", code: .connection,
                remedy: "administrator"),
            Case(
                session: "62-error-too-many-senders", command: nil, code: .server,
                remedy: "ALTER SYSTEM SET max_wal_senders = 20;"),
            Case(
                session: "63-error-segment-removed", command: "START_REPLICATION", code: .wal, remedy: "wal_keep_size"),
            Case(session: "71-error-shutting-down", command: nil, code: .connection, remedy: "shutting down"),
        ]
    }

    /// A case with a version that was recorded with it.
    struct Pair: Sendable, CustomTestStringConvertible {
        var version: String
        var what: Case
        var testDescription: String { "\(version) \(what.session)" }

        /// Settings have the names that they have on that server.
        var remedy: String? {
            let isOld = version.hasPrefix("9.") || ["10", "11", "12"].contains(version)
            return what.remedy == "wal_keep_size" && isOld ? "wal_keep_segments" : what.remedy
        }

        static let all = Case.all.flatMap { what in
            Recording.versions(with: what.session).map { Pair(version: $0, what: what) }
        }.filter { pair in
            switch pair.what.session.prefix(2) {
            // Up to 9.4 the name is cut instead.
            case "23": !["9.3", "9.4"].contains(pair.version)
            // 9.3 has no slots, so none is asked for.
            case "52": pair.version != "9.3"
            default: true
            }
        }
    }

    @Test func `all versions and errors are there`() {
        #expect(Pair.all.count == 13 * 14 + (12 - 14) + (13 - 14) + 3 * 5 + 14)
    }

    @Test(arguments: Pair.all)
    func `an error is passed on with its remedy, and nothing is left`(pair: Pair) async throws {
        let what = pair.what
        let recording = try Recording(pair.version)
        let server = try recording.serve(
            startup: what.command == nil ? what.session : "01-startup",
            what.command.map { [$0: what.session] } ?? [:])
        let error = try await failure(server, recording)
        #expect(error.code == what.code, "\(error)")
        #expect(pair.remedy.map { error.hint?.contains($0) == true } ?? (error.hint == nil), "\(error)")
        let facts = try #require(recording.meta.transcripts.first { $0.name == what.session })
        for said in facts.errors ?? [] where said.severity != "WARNING" {
            #expect(error.message.contains(said.message), "\(error)")
        }
    }

    /// The end of a connection without a word is all that a server says when its wal_sender_timeout is over.
    @Test(arguments: Recording.versions(with: "34-timeout-streaming"))
    func `a stream that just ends is told as such`(version: String) async throws {
        let recording = try Recording(version)
        // So little of the recorded WAL that the end of the backup is never reached: with all of it the backup may be complete
        // before it hears that the stream has ended.
        let server = try recording.serve(["START_REPLICATION": "34-timeout-streaming"], walBytes: 128)
        let error = try await failure(server, recording)
        #expect(error.code == .connection, "\(error)")
        #expect(error.message.hasPrefix("could not receive WAL: connection to server was lost"), "\(error)")
        #expect(error.hint?.contains("The server's log") == true, "\(error)")
    }

    @Test(arguments: Recording.versions(with: "70-shutdown-streaming"))
    func `a shutdown in mid-stream fails the backup`(version: String) async throws {
        let recording = try Recording(version)
        let server = try recording.serve(["START_REPLICATION": "70-shutdown-streaming"], walBytes: 128)
        let error = try await failure(server, recording)
        #expect(error.code == .wal, "\(error)")
        #expect(error.message.contains("server ended the WAL stream at"), "\(error)")
        #expect(error.hint?.contains("shut down") == true, "\(error)")
    }

    @Test(arguments: Recording.versions(with: "24-base-backup-bad-checksum"))
    func `damaged pages fail the backup, which is kept`(version: String) async throws {
        let recording = try Recording(version)
        let server = try recording.serve(["BASE_BACKUP": "24-base-backup-bad-checksum"])
        let (backup, target, space) = backup(server, recording, wal: .none)
        let error = await #expect(throws: UnderstudyError.self) { try await backup.run(into: .directory(target)) }
        #expect(error?.code == .damagedPages, "\(String(describing: error))")
        #expect(error?.message.contains("server found damaged pages") == true)
        #expect(error?.hint?.contains("is kept") == true)
        #expect(FileTree.exists("\(target)/PG_VERSION"))
        #expect(FileTree.exists("\(target)/backup_manifest") == recording.hasManifest)
        #expect(!FileTree.names(target).contains("pgsql_tmp.understudy"))
        #expect(FileTree.names(space).count == 1)
    }

    /// A name of 120 characters arrives cut to 99: the server gives no sign of it.
    @Test(arguments: ["9.3", "9.4"])
    func `what an old server cuts arrives as it was sent`(version: String) async throws {
        let recording = try Recording(version)
        let server = try recording.serve(["BASE_BACKUP": "23-base-backup-long-name"])
        let (backup, target, _) = backup(server, recording, wal: .none)
        _ = try await backup.run(into: .directory(target))
        let cut = FileTree.names(target).filter { $0.hasPrefix("understudy_long_") && $0.utf8.count == 99 }
        #expect(!cut.isEmpty)
    }

    // MARK: - The run

    private func backup(
        _ server: ScriptedServer, _ recording: Recording, wal: BaseBackup.WALMethod = .stream
    ) -> (backup: BaseBackup, target: String, space: String) {
        let target = TestDirectory.freshPath("backup"), space = TestDirectory.freshPath("space")
        var backup = BaseBackup(source: "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable")
        backup.options.wal = wal
        backup.options.slot = wal == .stream ? .temporary : .none
        backup.options.tablespaceMappings = [.init(from: recording.meta.tablespace.path, to: space)]
        return (backup, target, space)
    }

    /// What a backup from the server fails with; nothing of it is left.
    private func failure(_ server: ScriptedServer, _ recording: Recording) async throws -> UnderstudyError {
        let (backup, target, space) = backup(server, recording)
        let error = await #expect(throws: UnderstudyError.self) { try await backup.run(into: .directory(target)) }
        #expect(!FileTree.exists(target))
        #expect(!FileTree.exists(space))
        return try #require(error)
    }
}
