import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Runs that are ended by SIGKILL, and the run after them.
@Suite(.disabled(if: isStock)) struct KilledRunTests {
    private static let mark = "pgsql_tmp.understudy"

    /// A run's places: data directory, WAL directory, and one tablespace.
    private struct Places {
        let parent: String
        let name: String
        let space: String
        var target: String { "\(parent)/deep/target" }
        var wal: String { "\(parent)/wal" }
        var mapped: String { "\(parent)/mapped" }

        init(_ cluster: Cluster, _ name: String = "space") throws {
            parent = try TestDirectory.make("parent")
            self.name = name
            space = try cluster.makeTablespace(name)
        }

        func arguments(_ command: Command, _ cluster: Cluster) -> [String] {
            command.arguments(cluster.connectionString(), target)
                + ["-T", "\(space)=\(mapped)", "--waldir", wal]
                + (command == .basebackup ? ["-C", "-S", command.slot] : [])
        }
    }

    /// Kills a run while it copies.
    private func kill(
        _ command: Command, _ cluster: Cluster, _ places: Places, _ arguments: [String] = []
    ) throws -> Program {
        let program = try UnderstudyProgram.start(places.arguments(command, cluster) + ["-r", "32"] + arguments)
        try cluster.waitUntilCopying(program)
        try eventually("files of the tablespace") {
            FileTree.names(places.mapped).contains { $0.hasPrefix("PG_") }
        }
        program.send(SIGKILL)
        #expect(program.wait().status == 128 + SIGKILL)
        // The slot is in use until the server has noticed.
        try eventually("the end of all wal senders") {
            try cluster.holds("SELECT count(*) = 0 FROM pg_stat_replication")
        }
        return program
    }

    private func waitForMark(of program: Program, _ places: Places) throws {
        try eventually("the mark: \(program.errorOutput)") {
            try #require(program.isRunning)
            let mark = try? FileTree.text("\(places.target)/\(Self.mark)")
            return mark?.contains("process \(program.processID)\n") ?? false
        }
    }

    @Test(arguments: PostgresInstallation.outermost, Command.allCases)
    func `a killed run is recognised, and --force-clean removes it`(
        installation: PostgresInstallation, command: Command
    ) throws {
        let cluster = try Cluster(installation)
        let places = try Places(cluster)
        let program = try kill(command, cluster, places)
        let left = FileTree.snapshot(places.parent)
        #expect(try cluster.slots() == [command.slot])

        let refused = try UnderstudyProgram.run(places.arguments(command, cluster))
        expectRefused(
            refused, "directory \"\(places.target)\" holds an unfinished base backup", "process \(program.processID)",
            places.wal, places.mapped, "replication slot \"\(command.slot)\"", "--force-clean")
        #expect(FileTree.snapshot(places.parent) == left)

        let result = try UnderstudyProgram.run(places.arguments(command, cluster) + ["--force-clean"])
        #expect(result.status == 0, "\(result)")
        #expect(result.errorOutput.contains("removing the unfinished base backup in \"\(places.target)\""))
        #expect(result.errorOutput.contains("dropped replication slot \"\(command.slot)\""))
        let verified = try verify(places.target, of: cluster, ["-n"])
        // A clone has changed its settings since.
        #expect(verified.status == 0 || command == .clone, "\(verified)")
        #expect(!FileTree.snapshot(places.parent).contains { $0.contains(Self.mark) })
        try cluster.expectReleased(slots: [command.slot])
    }

    @Test(arguments: Command.allCases)
    func `a run that fails after --force-clean leaves what was there before the killed one`(command: Command) throws {
        let cluster = try Cluster(.newest)
        let places = try Places(cluster)
        _ = try kill(command, cluster, places)
        let program = try UnderstudyProgram.start(places.arguments(command, cluster) + ["--force-clean", "-r", "32"])
        try waitForMark(of: program, places)
        program.send(SIGTERM)
        #expect(program.wait().status == 1)
        #expect(FileTree.names(places.parent) == [])
        try cluster.expectReleased()
    }

    @Test func `--force-clean removes nothing that is not marked`() throws {
        let cluster = try Cluster(.newest)
        let places = try Places(cluster)
        _ = try kill(.basebackup, cluster, places)
        // Somebody has used the tablespace's place for something else since, and another place is full of other things.
        try FileManager.default.removeItem(atPath: "\(places.mapped)/\(Self.mark)")
        let before = FileTree.snapshot(places.mapped)
        let result = try UnderstudyProgram.run(places.arguments(.basebackup, cluster) + ["--force-clean"])
        expectRefused(result, "tablespace directory \"\(places.mapped)\" exists but is not empty")
        #expect(FileTree.snapshot(places.mapped) == before)
    }

    @Test func `--force-clean does not touch a directory in which a server was started`() throws {
        let cluster = try Cluster(.newest)
        let places = try Places(cluster)
        _ = try kill(.basebackup, cluster, places)
        try TestDirectory.write("x", to: "\(places.target)/postmaster.opts")
        let before = FileTree.snapshot(places.parent)
        let result = try UnderstudyProgram.run(places.arguments(.basebackup, cluster) + ["--force-clean"])
        expectRefused(result, "a server has been started in it")
        #expect(FileTree.snapshot(places.parent) == before)
    }

    @Test(arguments: [[], ["--force-clean"]])
    func `a run that is still at work is left alone`(arguments: [String]) throws {
        let cluster = try Cluster(.newest)
        let places = try Places(cluster)
        let program = try UnderstudyProgram.start(places.arguments(.basebackup, cluster) + ["-r", "32"])
        try waitForMark(of: program, places)
        let result = try UnderstudyProgram.run(
            Command.clone.arguments(cluster.connectionString(), places.target) + arguments)
        expectRefused(result, "is being filled by another base backup", "process \(program.processID)")
        #expect(program.isRunning)
        program.send(SIGTERM)
        #expect(program.wait().status == 1)
        #expect(FileTree.names(places.parent) == [])
    }

    @Test func `what --no-clean has kept is recognised too`() throws {
        let cluster = try Cluster(.newest)
        let places = try Places(cluster)
        let program = try UnderstudyProgram.start(
            places.arguments(.basebackup, cluster) + ["-r", "32", "--no-clean"])
        try waitForMark(of: program, places)
        program.send(SIGINT)
        #expect(program.wait().status == 1)
        let result = try UnderstudyProgram.run(places.arguments(.basebackup, cluster) + ["--force-clean"])
        #expect(result.status == 0, "\(result)")
        #expect(try verify(places.target, of: cluster, ["-n"]).status == 0)
    }

    /// Takes a backup over the killed one's files, without a slot of its own.
    private func clean(_ cluster: Cluster, _ places: Places) throws -> ProgramResult {
        let result = try UnderstudyProgram.run(
            ["basebackup", "-d", cluster.connectionString(), "-D", places.target, "-c", "fast", "--force-clean"]
                + ["-T", "\(places.space)=\(places.mapped)"])
        #expect(result.status == 0, "\(result)")
        return result
    }

    private func expectKept(_ result: ProgramResult, _ reason: String, _ cluster: Cluster) throws {
        #expect(
            result.errorOutput.contains(
                "replication slot \"standby1\" of the unfinished base backup is kept: \(reason)"),
            "\(result)")
        #expect(result.errorOutput.contains("SELECT pg_drop_replication_slot('standby1');"), "\(result)")
        #expect(try cluster.slots().contains("standby1"))
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a slot that has moved on since serves somebody else, and is kept`(
        installation: PostgresInstallation
    ) throws {
        let cluster = try Cluster(installation)
        let places = try Places(cluster)
        _ = try kill(.basebackup, cluster, places)
        try cluster.sql("SELECT pg_switch_wal(); CREATE TABLE t AS SELECT 1")
        try cluster.sql("SELECT pg_replication_slot_advance('standby1', pg_current_wal_lsn())")
        try expectKept(try clean(cluster, places), "it holds WAL from", cluster)
    }

    @Test(arguments: [(Command.clone, ""), (.clone, "*"), (.basebackup, "*")])
    func `a slot that a later run has taken over is kept, even before its standby is started`(
        command: Command, synchronous: String
    ) throws {
        let cluster = try Cluster(.newest)
        let places = try Places(cluster)
        _ = try kill(.clone, cluster, places)
        try cluster.synchronize(synchronous)
        let parent = try TestDirectory.make("later")
        let later = try UnderstudyProgram.run(
            command.arguments(cluster.connectionString(), "\(parent)/target")
                + (command == .basebackup ? ["-S", "standby1", "-R"] : [])
                + ["-T", "\(places.space)=\(parent)/mapped"])
        #expect(later.status == 0, "\(later)")
        if command == .clone { #expect(later.errorOutput.contains("taking over replication slot"), "\(later)") }
        try expectKept(try clean(cluster, places), "it holds WAL from", cluster)
    }

    @Test func `a slot that a later clone has taken over is kept where its standby could not be started`() throws {
        let cluster = try Cluster(.newest)
        let places = try Places(cluster)
        _ = try kill(.clone, cluster, places)
        try cluster.synchronize("*")
        let parent = try TestDirectory.make("later")
        // There is no such library.
        let later = try UnderstudyProgram.run(
            Command.clone.arguments(cluster.connectionString(), "\(parent)/target")
                + ["-T", "\(places.space)=\(parent)/mapped", "--start", "--standby-port", String(Port.free())]
                + ["--bin-dir", cluster.installation.programs, "--set", "shared_preload_libraries=none of it"])
        #expect(later.status == 1 && later.errorOutput.contains("complete and kept"), "\(later)")
        try expectKept(try clean(cluster, places), "it holds WAL from", cluster)
    }

    @Test func `a slot that a run may have taken over which waits for its checkpoint is kept`() throws {
        let cluster = try Cluster(.newest)
        let places = try Places(cluster)
        _ = try kill(.clone, cluster, places)
        let other = try Places(cluster, "other")
        let program = try UnderstudyProgram.start(
            ["basebackup", "-d", cluster.connectionString(), "-D", "\(other.parent)/other", "-c", "fast", "-X", "none"]
                + ["-T", "\(places.space)=\(other.parent)/a", "-T", "\(other.space)=\(other.parent)/b", "-r", "32"])
        try cluster.waitUntilCopying(program)
        let result = try UnderstudyProgram.run(
            places.arguments(.basebackup, cluster).filter { !["-C", "-S", "standby1"].contains($0) }
                + ["--force-clean", "--no-slot", "-T", "\(other.space)=\(other.parent)/c"])
        try expectKept(result, "another base backup is under way", cluster)
        program.send(SIGTERM)
        _ = program.wait()
    }

    @Test func `a slot of the same name that holds older WAL, or none, is kept`() throws {
        let cluster = try Cluster(.newest)
        try cluster.sql("SELECT pg_create_physical_replication_slot('old', true)")
        try cluster.sql("SELECT pg_switch_wal(); CREATE TABLE t AS SELECT 1; CHECKPOINT")
        for reason in ["it holds WAL from", "it holds no WAL"] {
            let places = try Places(cluster, "space_\(reason.count)")
            _ = try kill(.basebackup, cluster, places)
            try cluster.sql("SELECT pg_drop_replication_slot('standby1')")
            try cluster.sql(
                reason.hasSuffix("no WAL")
                    ? "SELECT pg_create_physical_replication_slot('standby1')"
                    : "SELECT pg_copy_physical_replication_slot('old', 'standby1')")
            let result = try UnderstudyProgram.run(
                places.arguments(.basebackup, cluster).filter { $0 != "-C" && $0 != "-S" && $0 != "standby1" }
                    + ["--force-clean", "--no-slot", "-r", "1048576"])
            try expectKept(result, reason, cluster)
            try cluster.sql("SELECT pg_drop_replication_slot('standby1'); DROP TABLE in_\(places.name)")
            try cluster.sql("DROP TABLESPACE \(places.name)")
        }
    }

    @Test func `a slot of another server is not dropped here, but named`() throws {
        let cluster = try Cluster(.newest)
        let places = try Places(cluster)
        _ = try kill(.basebackup, cluster, places)
        let mark = "\(places.target)/\(Self.mark)"
        let identifier = try cluster.sql("SELECT system_identifier FROM pg_control_system()")
        let text = try FileTree.text(mark)
        try #require(text.contains(identifier))
        try TestDirectory.write(text.replacingOccurrences(of: identifier, with: "1"), to: mark)
        let result = try clean(cluster, places)
        #expect(result.errorOutput.contains("of another server, where replication slot \"standby1\""), "\(result)")
        #expect(try cluster.slots() == ["standby1"])
    }

    @Test(arguments: [("# comment\nrun 1\n", "an older version"), ("format 9\n", "has format \"9\"")])
    func `a mark of another format is refused with words`(text: String, words: String) throws {
        let cluster = try Cluster(.newest)
        let places = try Places(cluster)
        try TestDirectory.make(at: "\(places.parent)/deep")
        try TestDirectory.make(at: places.target)
        try TestDirectory.write(text, to: "\(places.target)/\(Self.mark)")
        let before = FileTree.snapshot(places.parent)
        let result = try UnderstudyProgram.run(places.arguments(.basebackup, cluster) + ["--force-clean"])
        expectRefused(result, words, "rm -rf \(places.target)", "pg_drop_replication_slot")
        #expect(FileTree.snapshot(places.parent) == before)
    }

    @Test(.enabled(if: Account.isRoot, "only root can act for others"))
    func `root acts on what it has left in directories of the user that --owner names, and on no other`() throws {
        let cluster = try Cluster(.newest)
        let places = try Places(cluster)
        let arguments = places.arguments(.clone, cluster) + ["--owner", "postgres"]
        let program = try Program(
            UnderstudyProgram.path, arguments + ["-r", "32"], environment: UnderstudyProgram.environment,
            asCaller: true)
        try cluster.waitUntilCopying(program)
        try eventually("files of the tablespace") {
            FileTree.names(places.mapped).contains { $0.hasPrefix("PG_") }
        }
        program.send(SIGKILL)
        #expect(program.wait().status == 128 + SIGKILL)
        let before = FileTree.snapshot(places.parent)
        func run(_ owner: String?) throws -> ProgramResult {
            try Program.run(
                UnderstudyProgram.path,
                places.arguments(.clone, cluster) + ["--force-clean"] + (owner.map { ["--owner", $0] } ?? []),
                environment: UnderstudyProgram.environment, asCaller: true)
        }
        for owner in [nil, "nobody"] {
            expectRefused(try run(owner), "the directory belongs to user \"postgres\"", "--owner postgres")
        }
        // The mark is root's.
        expectRefused(
            try UnderstudyProgram.run(places.arguments(.clone, cluster) + ["--force-clean"]), "cannot be relied on")
        #expect(FileTree.snapshot(places.parent) == before)
        let result = try run("postgres")
        #expect(result.status == 0, "\(result)")
        #expect(!FileTree.snapshot(places.parent).contains { $0.contains(Self.mark) })
    }

    @Test(.enabled(if: Account.isRoot, "only root can act for others"))
    func `root believes no mark of another user, and gives nothing away`() throws {
        let cluster = try Cluster(.newest)
        let places = try Places(cluster)
        // A run of user postgres is killed; root comes upon its marks in a place that is open to all.
        _ = try kill(.basebackup, cluster, places)
        let shared = "\(places.parent)/shared"
        try TestDirectory.make(at: shared, mode: 0o1777)
        try #require(unsafe chown(shared, 0, 0) == 0 && chmod(shared, 0o1777) == 0)
        try FileManager.default.copyItem(
            atPath: "\(places.target)/\(Self.mark)", toPath: "\(shared)/\(Self.mark)")
        try #require(unsafe chown("\(shared)/\(Self.mark)", Account.postgres!.user, Account.postgres!.group) == 0)
        let before = FileTree.snapshot(places.parent)
        for directory in [places.target, shared] {
            let result = try Program.run(
                UnderstudyProgram.path,
                ["basebackup", "-d", cluster.connectionString(), "-D", directory, "-c", "fast", "--force-clean"],
                environment: UnderstudyProgram.environment, asCaller: true)
            expectRefused(result, "belongs to user \"postgres\"")
        }
        #expect(FileTree.snapshot(places.parent) == before)
    }
}
