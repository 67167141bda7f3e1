import Foundation
import Glibc
import Testing
import UnderstudyTestSupport

/// Directories that are made equal to their source.
@Suite(.disabled(if: isStock)) struct DeltaTests {
    private static let mark = "pgsql_tmp.understudy"

    @Test func `a standby that fell behind becomes one again, and its tablespace stays where it is`() throws {
        let primary = try Cluster(.newest)
        let space = try primary.makeTablespace("space"), mapped = TestDirectory.freshPath("mapped")
        let dropped = try primary.makeTablespace("dropped"), mappedDropped = TestDirectory.freshPath("dropped")
        try primary.sql(
            """
            CREATE TABLE changed AS SELECT i, repeat('x', 200) AS t FROM generate_series(1, 5000) i;
            CREATE TABLE gone AS SELECT i FROM generate_series(1, 1000) i
            """)
        let unlogged = try primary.makeUnloggedTable("unlogged")
        let target = TestDirectory.freshPath("standby")
        _ = try clone(
            primary, to: target,
            ["--no-slot", "-T", "\(space)=\(mapped)", "-T", "\(dropped)=\(mappedDropped)"])
        try TestDirectory.write("mine", to: "\(target)/notes.txt")
        try TestDirectory.make(at: "\(target)/log")
        try TestDirectory.write("mine", to: "\(target)/log/old.log")
        try TestDirectory.write("", to: "\(target)/promote")
        try TestDirectory.write("old", to: "\(target)/base/pgsql_tmp.old")
        try TestDirectory.write("old", to: "\(target)/\(unlogged)")
        try TestDirectory.write("mine", to: "\(target)/pg_wal/new\nline")
        let wal = FileTree.names("\(target)/pg_wal").filter { $0.count == 24 }
        let gone = try primary.sql("SELECT pg_relation_filepath('gone')")
        try primary.sql(
            """
            DROP TABLE gone;
            DROP TABLE in_dropped;
            UPDATE changed SET t = repeat('y', 200) WHERE i % 500 = 0;
            CREATE TABLE new AS SELECT i FROM generate_series(1, 1000) i;
            UPDATE in_space SET i = i + 1 WHERE i < 10
            """)
        try primary.sql("DROP TABLESPACE dropped")
        try primary.sql("SELECT pg_switch_wal()")
        try primary.sql("CHECKPOINT")

        let before = FileTree.snapshot(target) + FileTree.snapshot(mapped)
        let link = try #require(
            FileTree.names("\(target)/pg_tblspc").first { name in
                (try? FileTree.linkTarget("\(target)/pg_tblspc/\(name)")) == mapped
            })
        let survey = try UnderstudyProgram.run(
            ["clone", "--primary", primary.connectionString(), "-D", target, "--no-slot", "--delta", "--dry-run"])
        #expect(survey.status == 0, "\(survey)")
        for line in [
            "remove  \(gone)", "remove  \(unlogged)", "remove  promote", "remove  base/pgsql_tmp.old",
            "keep    notes.txt", "keep    log", "keep    \(mappedDropped)", "keep    pg_wal/new\\x0aline",
            "replace postgresql.auto.conf", "is a data directory of this cluster", "nothing was changed",
        ] {
            #expect(survey.output.contains(line), "\(line): \(survey)")
        }
        #expect(FileTree.snapshot(target) + FileTree.snapshot(mapped) == before)

        let result = try clone(primary, to: target, ["--no-slot", "--delta"])
        #expect(result.errorOutput.contains("were there already"), "\(result)")
        #expect(result.errorOutput.contains("\"notes.txt\""), "\(result)")
        #expect(result.errorOutput.contains("\"pg_wal/new\\x0aline\""), "\(result)")
        #expect(try FileTree.text("\(target)/pg_wal/new\nline") == "mine")
        #expect(try FileTree.text("\(target)/notes.txt") == "mine")
        #expect(try FileTree.text("\(target)/log/old.log") == "mine")
        for name in [gone, unlogged, "promote", "base/pgsql_tmp.old", Self.mark] {
            #expect(!FileTree.exists("\(target)/\(name)"), "\(name)")
        }
        #expect(FileTree.names("\(target)/global").allSatisfy { !$0.hasPrefix("pgsql_tmp") })
        #expect(FileTree.names("\(target)/pg_wal").allSatisfy { !wal.contains($0) })
        #expect(FileTree.names("\(target)/pg_tblspc") == [link])
        #expect(FileTree.names(mapped).count == 1 && FileTree.names(space).count == 1)

        let standby = try Cluster(copy: target, of: primary)
        try standby.start()
        // It streams, and the position of an idle primary may be one that no record reaches.
        try primary.sql("CREATE TABLE streamed AS SELECT 1")
        try primary.waitForReplay(on: standby)
        #expect(try primary.differences(from: standby) == [])
        try standby.stop()
        try Program.check(primary.installation.program("pg_checksums"), ["--check", "-D", target])

        // Once more, as a backup that the stock tool verifies.
        let backup = try basebackup(primary, to: target, ["--delta"])
        #expect(backup.status == 0, "\(backup)")
        let verdict = try verify(target, of: primary, ["-i", "notes.txt", "-i", "log"])
        #expect(verdict.status == 0, "\(verdict)")
    }

    @Test func `an old primary becomes a standby of the new one after a failover`() throws {
        let old = try Cluster(.newest)
        try old.sql("CREATE TABLE t AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i")
        let target = TestDirectory.freshPath("new")
        _ = try clone(old, to: target, ["--no-slot", "--jobs", "2"])
        let new = try Cluster(copy: target, of: old)
        try new.start()
        try old.sql("CREATE TABLE streamed AS SELECT 1")
        try old.waitForReplay(on: new)
        try new.sql("SELECT pg_promote()")
        try old.sql("UPDATE t SET t = 'lost' WHERE i % 100 = 0")
        try old.sql("CREATE TABLE lost AS SELECT 1")
        try new.sql("UPDATE t SET t = 'new' WHERE i % 150 = 0")
        try old.stop(.immediate)
        let result = try clone(new, to: old.directory, ["--no-slot", "--delta"])
        #expect(result.errorOutput.contains("were there already"), "\(result)")
        let standby = try Cluster(copy: old.directory, of: new)
        try standby.start()
        try new.sql("CREATE TABLE streamed_again AS SELECT 1")
        try new.waitForReplay(on: standby)
        #expect(try new.differences(from: standby) == [])
        #expect(try standby.sql("SELECT pg_is_in_recovery()") == "t")
        try standby.stop()
        try Program.check(new.installation.program("pg_checksums"), ["--check", "-D", old.directory])
    }

    @Test func `what is not to be overwritten is refused, and stays as it is`() throws {
        let cluster = try Cluster(.newest)
        let space = try cluster.makeTablespace("space"), mapped = TestDirectory.freshPath("mapped")
        let copy = TestDirectory.freshPath("copy")
        #expect(try basebackup(cluster, to: copy, ["-T", "\(space)=\(mapped)"]).status == 0)
        var options = Cluster.Options()
        options.checksums = false
        let other = try Cluster(.newest, options)
        try other.stop()
        let plain = try TestDirectory.make("plain")
        try TestDirectory.write("mine", to: "\(plain)/file")
        // Not in the copy yet.
        let new = try cluster.makeTablespace("new"), small = try smallPlace()
        let places = [copy, mapped, other.directory, plain]
        let before = places.map(FileTree.snapshot)
        var cases: [(directory: String, arguments: [String], words: [String])] = [
            (
                cluster.directory, ["--delta"],
                ["a server runs in directory", "pg_ctl -D \(cluster.directory) -m fast stop"]
            ),
            (other.directory, ["--delta"], ["of another database cluster", "--force-other-cluster"]),
            (plain, ["--delta"], ["no data directory", "PG_VERSION"]),
            (plain, ["--resume"], ["holds no base backup that was interrupted", "--delta"]),
            (copy, ["--resume"], ["holds no base backup that was interrupted", "--delta"]),
            (TestDirectory.freshPath("missing"), ["--resume"], ["holds no base backup that was interrupted"]),
            (copy, ["--delta", "-T", "\(space)=\(plain)/new"], ["\(mapped)\"", "and not \"\(plain)/new\""]),
            (copy, ["--delta", "--waldir", "\(plain)/wal"], ["lies in the data directory"]),
            (copy, ["--delta", "-X", "fetch"], ["--delta cannot be used with WAL method fetch"]),
            (copy, ["--delta", "-F", "t"], ["--delta is for plain format"]),
            (copy, ["--delta", "--force-clean"], ["incompatible"]),
            (copy, ["--dry-run"], ["--dry-run needs --delta or --resume"]),
            // The place of a tablespace that is new.
            (copy, ["--delta"], ["\"\(new)\" exists but is not empty", "--tablespace-mapping=\(new)=NEWDIR"]),
            (copy, ["--delta", "-T", "\(new)=\(plain)"], ["\"\(plain)\" exists but is not empty"]),
            (copy, ["--delta", "-T", "\(new)=\(copy)/new"], ["overlaps the data directory"]),
            (copy, ["--delta", "-T", "\(new)=/proc/new"], ["/proc"]),
        ]
        if let small {
            cases.append(
                (copy, ["--delta", "-T", "\(new)=\(small.path)/new"], ["not enough room", "\(small.path)/new"]))
        }
        try cluster.sql("SELECT pg_create_physical_replication_slot('taken')")
        let moved = ["--delta", "-T", "\(new)=\(plain)/2"]
        cases += [
            (copy, moved + ["-C", "-S", "taken"], ["slot \"taken\" already exists", "--slot alone"]),
            (copy, moved + ["-S", "missing"], ["slot \"missing\" does not exist", "--create-slot"]),
        ]
        // What a run refuses, its comparison refuses.
        cases += cases.filter { $0.arguments.contains { ["--delta", "--resume"].contains($0) } }.map {
            ($0.directory, $0.arguments + ["--dry-run"], $0.words)
        }
        for (directory, arguments, words) in cases {
            let result = try basebackup(cluster, to: directory, arguments)
            #expect(result.status == 1, "\(arguments): \(result)")
            for word in words { #expect(result.errorOutput.contains(word), "\(word): \(result)") }
        }
        let port = try UnderstudyProgram.run(
            ["clone", "--primary", cluster.connectionString(), "-D", copy, "--no-slot", "--dry-run", "--start"] + moved
                + ["--standby-port", "\(cluster.port)", "--bin-dir", cluster.installation.programs])
        expectRefused(port, "the standby could not listen on", "--standby-port")
        #expect(places.map(FileTree.snapshot) == before)
        try cluster.expectReleased(slots: ["taken"])

        // Where that is wanted, it is said whose files those are.
        let survey = try basebackup(
            cluster, to: other.directory,
            ["--delta", "--force-other-cluster", "--dry-run", "-T", "\(space)=\(plain)/new", "-T", "\(new)=\(plain)/2"])
        #expect(survey.status == 0 && survey.output.contains("is a data directory of another cluster"), "\(survey)")
        #expect(FileTree.snapshot(other.directory) == before[2])

        // An empty directory is filled like any other, and that is said.
        let result = try basebackup(
            cluster, to: TestDirectory.freshPath("new"),
            ["--delta", "-T", "\(space)=\(plain)/new", "-T", "\(new)=\(plain)/2"])
        #expect(result.status == 0 && result.errorOutput.contains("this is a copy like any other"), "\(result)")
    }

    /// A file system without room for a tablespace; nil where none can be mounted.
    private func smallPlace() throws -> MountedFileSystem? {
        guard MountedFileSystem.isAllowed else { return nil }
        return try MountedFileSystem(.small(bytes: 64 << 10))
    }

    @Test func `a postmaster's file that a crash has left is told from a server's`() throws {
        let target = try TestDirectory.make("data"), file = "\(target)/postmaster.pid"
        try TestDirectory.make(at: "\(target)/global")
        for name in ["PG_VERSION", "global/pg_control"] { try TestDirectory.write("15\n", to: "\(target)/\(name)") }
        func run(_ process: Int32) throws -> ProgramResult {
            try TestDirectory.write("\(process)\n\(target)\n1\n5432\n", to: file)
            return try UnderstudyProgram.run(
                ["basebackup", "-h", "127.0.0.1", "-p", "1", "-w", "-D", target, "--delta"])
        }
        // A process of another user if this one is root's, and else one that works elsewhere.
        for stale in [getpid(), Int32.max, 1] {
            expectRefused(try run(stale), "connection to server")
        }
        let other = try Program("/bin/sh", ["-c", "cd '\(target)' && exec sleep 600"])
        try eventually("its directory") {
            (try? FileTree.linkTarget("/proc/\(other.processID)/cwd")) == target
        }
        expectRefused(
            try run(other.processID), "a server runs in directory", "process \(other.processID)",
            "pg_ctl -D \(target) -m fast stop", "ps -fp \(other.processID)", "rm \(file)")
        #expect(FileTree.exists(file))
    }

    @Test(arguments: MountedFileSystem.isAllowed ? [false, true] : [false])
    func `WAL behind a link or mount and tablespaces in the data directory stay where they are, with root's owner`(
        isMounted: Bool
    ) throws {
        var options = Cluster.Options()
        options.settings = ["allow_in_place_tablespaces = on"]
        let primary = try Cluster(.newest, options)
        try primary.sql(
            """
            CREATE TABLESPACE inside LOCATION '';
            CREATE TABLE t TABLESPACE inside AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i
            """)
        let target = TestDirectory.freshPath("standby")
        let wal = isMounted ? "\(target)/pg_wal" : TestDirectory.freshPath("wal")
        var mount: MountedFileSystem?
        if isMounted {
            for path in [target, wal] { try TestDirectory.make(at: path) }
            mount = try MountedFileSystem(.small(bytes: 512 << 20), on: wal)
        }
        defer { withExtendedLifetime(mount) {} }
        _ = try clone(primary, to: target, ["--no-slot"] + (isMounted ? [] : ["--waldir", wal]))
        let old = FileTree.names(wal).filter { $0.count == 24 }
        try TestDirectory.write("mine", to: "\(wal)/notes")
        try primary.sql("UPDATE t SET t = 'new' WHERE i % 500 = 0; SELECT pg_switch_wal(); CHECKPOINT")
        let arguments = [
            "clone", "--primary", primary.connectionString(), "-D", target, "--no-slot", "-c", "fast", "--delta",
            "--sparse",
        ]
        func run(_ more: [String]) throws -> ProgramResult {
            try Program.run(
                UnderstudyProgram.path, arguments + more + (Account.isRoot ? ["--owner", "postgres"] : []),
                environment: UnderstudyProgram.environment, asCaller: true)
        }
        let survey = try run(["--dry-run"])
        #expect(survey.status == 0 && survey.output.contains("keep    pg_wal/notes\n"), "\(survey)")
        #expect(FileTree.names(wal).filter { $0.count == 24 } == old)
        let result = try run([])
        #expect(result.status == 0 && result.errorOutput.contains("\"pg_wal/notes\""), "\(result)")
        #expect(try isMounted || FileTree.linkTarget("\(target)/pg_wal") == wal)
        #expect(try FileTree.text("\(wal)/notes") == "mine")
        #expect(old.allSatisfy { !FileTree.exists("\(wal)/\($0)") })
        #expect(!FileTree.exists("\(wal)/\(Self.mark)"))
        let owners = (FileTree.snapshot(target) + FileTree.snapshot(wal)).filter {
            !$0.contains(" \(Account.postgres?.user ?? geteuid()):")
        }
        #expect(owners == [])
        let standby = try Cluster(copy: target, of: primary)
        try standby.start()
        try primary.sql("CREATE TABLE streamed AS SELECT 1")
        try primary.waitForReplay(on: standby)
        #expect(try primary.differences(from: standby) == [])
    }

    @Test
    func `links that lead to another's files are not followed, and what is in the way is found before any change`()
        throws
    {
        let cluster = try Cluster(.newest)
        let space = try cluster.makeTablespace("space")
        let copy = TestDirectory.freshPath("copy"), mapped = TestDirectory.freshPath("mapped")
        #expect(try basebackup(cluster, to: copy, ["-T", "\(space)=\(mapped)"]).status == 0)
        let link = try #require(FileTree.names("\(copy)/pg_tblspc").first)
        func expectUntouched(_ words: String...) throws {
            let before = FileTree.snapshot(copy)
            let result = try basebackup(cluster, to: copy, ["--delta"])
            for word in words { expectRefused(result, word) }
            #expect(FileTree.snapshot(copy) == before)
        }
        func lead(to place: String) throws {
            try? FileManager.default.removeItem(atPath: "\(copy)/pg_tblspc/\(link)")
            try FileManager.default.createSymbolicLink(atPath: "\(copy)/pg_tblspc/\(link)", withDestinationPath: place)
        }
        try lead(to: space)
        try expectUntouched("\"\(space)\" is in use by the server in \"\(cluster.directory)\"")
        // Nobody's tablespace, but another's data directory.
        try lead(to: "\(cluster.directory)/base")
        try expectUntouched("lies in data directory \"\(cluster.directory)\"")
        if geteuid() == 0 {
            let foreign = try TestDirectory.make("foreign")
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755, .ownerAccountID: 1], ofItemAtPath: foreign)
            try lead(to: foreign)
            try expectUntouched("\"\(foreign)\" does not belong to the user of")
        }
        try lead(to: mapped)
        try FileManager.default.removeItem(atPath: "\(copy)/pg_ident.conf")
        try TestDirectory.make(at: "\(copy)/pg_ident.conf")
        try expectUntouched("\(copy)/pg_ident.conf", "Move it out of the directory")
    }
}
