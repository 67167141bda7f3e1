import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Runs that are ended from outside before they are done. A rate of 32 kB/s keeps the copy going until then.
@Suite(.disabled(if: isStock)) struct InterruptionTests {
    /// What a run may be interrupted by.
    enum Blow: CaseIterable, Sendable, CustomTestStringConvertible {
        case interrupt, terminate, hangUp, interruptTwice, terminateAfterHangUp

        var signals: [Int32] {
            switch self {
            case .interrupt: [SIGINT]
            case .terminate: [SIGTERM]
            case .hangUp: [SIGHUP]
            case .interruptTwice: [SIGINT, SIGINT]
            case .terminateAfterHangUp: [SIGHUP, SIGTERM]
            }
        }

        var testDescription: String { "\(signals)" }
    }

    private func expectGone(_ program: Program, parent: String, mapped: String? = nil) {
        let result = program.wait()
        #expect(result.status == 1, "\(result)")
        #expect(result.errorOutput.contains("error: "), "\(result)")
        #expect(FileTree.names(parent) == [], "\(result)")
        if let mapped { #expect(!FileTree.exists(mapped), "\(result)") }
    }

    @Test(arguments: Command.allCases, Blow.allCases)
    func `a signal while files are copied ends the run in order`(command: Command, blow: Blow) throws {
        let primary = try Cluster(.newest)
        let space = try primary.makeTablespace("space")
        let mapped = TestDirectory.freshPath("mapped")
        let parent = try TestDirectory.make("parent")
        let program = try UnderstudyProgram.start(
            command.arguments(primary.connectionString(), "\(parent)/target")
                + ["-r", "32", "-T", "\(space)=\(mapped)", "--waldir", "\(parent)/wal"])
        try primary.waitUntilCopying(program)
        try eventually("the first file") { !FileTree.names(mapped).isEmpty }
        for signal in blow.signals { program.send(signal) }
        expectGone(program, parent: parent, mapped: mapped)
        try primary.expectReleased()
    }

    @Test(arguments: PostgresInstallation.outermost, Command.allCases)
    func `a signal while the server makes its checkpoint ends the run in order`(
        installation: PostgresInstallation, command: Command
    ) throws {
        let primary = try Cluster(installation)
        try Workload.prepare(primary, scale: 2)
        let parent = try TestDirectory.make("parent")
        let checkpoint = try primary.sql(Self.lastCheckpoint)
        // Spread over minutes.
        let program = try UnderstudyProgram.start(
            command.arguments(primary.connectionString(), "\(parent)/target") + ["--checkpoint=spread"])
        try primary.waitUntilCheckpointing(program)
        program.send(SIGTERM)
        expectGone(program, parent: parent)
        // By itself a server notices that its client is gone when it next writes to it: at the end of the checkpoint.
        try primary.expectReleased()
        #expect(try primary.sql(Self.lastCheckpoint) == checkpoint, "the checkpoint has ended meanwhile")
    }

    private static let lastCheckpoint = "SELECT checkpoint_lsn FROM pg_control_checkpoint()"

    @Test func `senders that a killed run has left are counted where they are in the way`() throws {
        var options = Cluster.Options()
        options.settings = ["max_wal_senders = 2"]
        let primary = try Cluster(.newest, options)
        try Workload.prepare(primary, scale: 2)
        let parent = try TestDirectory.make("parent")
        let killed = try UnderstudyProgram.start(
            Command.basebackup.arguments(primary.connectionString(), "\(parent)/killed") + ["--checkpoint=spread"])
        try primary.waitUntilCheckpointing(killed)
        killed.send(SIGKILL)
        _ = killed.wait()
        // Nobody is there to ask for an end of it; the connection for WAL ends by itself.
        try eventually("one sender") { try primary.holds("SELECT count(*) = 1 FROM pg_stat_replication") }
        let left = try primary.sql("SELECT pid FROM pg_stat_replication")
        for arguments in [
            Command.basebackup.arguments(primary.connectionString(), "\(parent)/target"),
            Command.clone.arguments(primary.connectionString(), "\(parent)/target"),
        ] {
            let result = try UnderstudyProgram.run(arguments)
            expectRefused(result, "max_wal_senders", "1 WAL sender takes a base backup", "(pid \(left))")
        }
    }

    @Test(arguments: Command.allCases)
    func `a signal while the server does not answer ends the run in order`(command: Command) throws {
        let primary = try Cluster(.newest)
        let parent = try TestDirectory.make("parent")
        let postmaster = try #require(
            Int32(FileTree.text("\(primary.directory)/postmaster.pid").prefix { $0.isNumber }))
        kill(postmaster, SIGSTOP)
        defer { kill(postmaster, SIGCONT) }
        let program = try UnderstudyProgram.start(command.arguments(primary.connectionString(), "\(parent)/target"))
        try eventually("a connection to the stopped server") {
            // The kernel knows the connection though the server has not accepted it: column 2 is the local address,
            // column 4 the state, where 01 is ESTABLISHED.
            let port = String(primary.port, radix: 16, uppercase: true)
            return try FileTree.text("/proc/net/tcp").contains(" 0100007F:\(port) 01 ")
        }
        program.send(SIGINT)
        expectGone(program, parent: parent)
    }

    @Test(arguments: PostgresInstallation.outermost, Command.allCases)
    func `a crash of the server while files are copied leaves nothing here`(
        installation: PostgresInstallation, command: Command
    ) throws {
        let primary = try Cluster(installation)
        let parent = try TestDirectory.make("parent")
        let program = try UnderstudyProgram.start(
            command.arguments(primary.connectionString(), "\(parent)/target") + ["-r", "32", "--stall-timeout=1s"])
        try primary.waitUntilCopying(program)
        try eventually("a mark") { FileTree.exists("\(parent)/target/pgsql_tmp.understudy") }
        try primary.stop(.immediate)
        let result = program.wait()
        expectRefused(result, hint: command == .clone)
        guard command == .clone else {
            #expect(FileTree.names(parent) == [])
            return
        }
        // The slot that nobody could drop is named, with the command that does it, and noted in the mark for the next run.
        #expect(result.errorOutput.contains("pg_drop_replication_slot('standby1')"), "\(result)")
        #expect(FileTree.names("\(parent)/target") == ["pgsql_tmp.understudy"])
        guard try installation == .newest else { return }
        try primary.start()
        let arguments = command.arguments(primary.connectionString(), "\(parent)/target")
        expectRefused(try UnderstudyProgram.run(arguments), "replication slot \"standby1\"", "--force-clean")
        let again = try UnderstudyProgram.run(arguments + ["--force-clean"])
        #expect(again.status == 0, "\(again)")
    }

    @Test func `a server that restarts in mid-copy does not keep the slot that was made`() throws {
        let primary = try Cluster(.newest)
        let parent = try TestDirectory.make("parent")
        let program = try UnderstudyProgram.start(
            Command.clone.arguments(primary.connectionString(), "\(parent)/target") + ["-r", "32"])
        try primary.waitUntilCopying(program)
        #expect(try primary.slots() == ["standby1"])
        try eventually("a mark") { FileTree.exists("\(parent)/target/pgsql_tmp.understudy") }
        try primary.stop(.immediate)
        try program.waitToSay("waiting for the server, to drop replication slot \"standby1\"")
        // Nothing but the mark, which names the slot should this be killed.
        #expect(FileTree.names("\(parent)/target") == ["pgsql_tmp.understudy"])
        try primary.start()
        expectGone(program, parent: parent)
        try primary.expectReleased()
    }

    @Test(arguments: PostgresInstallation.outermost, Command.allCases)
    func `the end of the backup's session on the server leaves nothing`(
        installation: PostgresInstallation, command: Command
    ) throws {
        let primary = try Cluster(installation)
        let parent = try TestDirectory.make("parent")
        let program = try UnderstudyProgram.start(
            command.arguments(primary.connectionString(), "\(parent)/target") + ["-r", "32"])
        try primary.waitUntilCopying(program)
        try primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_basebackup")
        expectRefused(program.wait(), "terminating connection", hint: false)
        #expect(FileTree.names(parent) == [])
        try primary.expectReleased()
    }

    @Test func `through the link the end of the backup's session has the stock tool's words`() throws {
        let primary = try Cluster(.newest)
        let link = "\(try TestDirectory.make("links", mode: 0o755))/pg_basebackup"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: UnderstudyProgram.path)
        let said = try [link, PostgresInstallation.newest.program("pg_basebackup")].map { tool in
            let parent = try TestDirectory.make("parent")
            let program = try Program(
                tool,
                [
                    "-d", primary.connectionString(), "-D", "\(parent)/target", "-F", "t", "-r", "32", "-X", "none",
                    "-c", "fast",
                ],
                environment: UnderstudyProgram.environment)
            try primary.waitUntilCopying(program)
            try primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_basebackup")
            let result = program.wait()
            #expect(result.status == 1, "\(result)")
            // libpq prints the warning that follows the error if it has arrived by then.
            return result.errorOutput.replacing(parent, with: "").split(separator: "\n").filter {
                !$0.contains(": hint: ") && !$0.contains("aborting backup due to backend exiting")
            }
        }
        #expect(said[0] == said[1])
    }

    @Test(arguments: PostgresInstallation.outermost, Command.allCases)
    func `the end of the WAL stream's session on the server leaves nothing`(
        installation: PostgresInstallation, command: Command
    ) throws {
        let primary = try Cluster(installation)
        let parent = try TestDirectory.make("parent")
        let program = try UnderstudyProgram.start(
            command.arguments(primary.connectionString(), "\(parent)/target") + ["-r", "32"])
        try primary.waitUntilCopying(program)
        try eventually("a WAL stream: \(program.errorOutput)") {
            try primary.holds("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'")
        }
        try primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE state = 'streaming'")
        expectRefused(program.wait(), hint: false)
        #expect(FileTree.names(parent) == [])
        try primary.expectReleased()
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `WAL that the server has removed by the end of the copy fails the backup`(
        installation: PostgresInstallation
    ) throws {
        var options = Cluster.Options()
        options.walSegmentMegabytes = 1
        options.settings = ["max_wal_size = 2MB", "min_wal_size = 2MB", "wal_keep_size = 0"]
        let cluster = try Cluster(installation, options)
        let parent = try TestDirectory.make("parent")
        let program = try UnderstudyProgram.start(
            Command.basebackup.arguments(cluster.connectionString(), "\(parent)/target") + ["-X", "fetch", "-r", "2M"])
        try cluster.waitUntilCopying(program)
        // Held here, the copy cannot reach its end before the WAL is gone: the rest is more than sockets buffer.
        program.send(SIGSTOP)
        let first = try cluster.sql("SELECT pg_walfile_name(pg_current_wal_lsn())")
        try eventually("the removal of \(first)", polls: 50) {
            try cluster.sql("CREATE TABLE t AS SELECT 1; DROP TABLE t; SELECT pg_switch_wal(); CHECKPOINT")
            return !FileTree.exists("\(cluster.directory)/pg_wal/\(first)")
        }
        program.send(SIGCONT)
        expectRefused(program.wait(), "WAL", hint: false)
        #expect(FileTree.names(parent) == [])
        try cluster.expectReleased()
    }

    @Test func `--no-clean keeps what was made`() throws {
        let cluster = try Cluster(.newest)
        let target = TestDirectory.freshPath("target")
        let program = try UnderstudyProgram.start(
            Command.basebackup.arguments(cluster.connectionString(), target) + ["-r", "32", "--no-clean"])
        try cluster.waitUntilCopying(program)
        try eventually("the first file") { !FileTree.names(target).isEmpty }
        program.send(SIGINT)
        #expect(program.wait().status == 1)
        #expect(FileTree.exists(target))
        #expect(!FileTree.exists("\(target)/backup_manifest"))
    }
}
