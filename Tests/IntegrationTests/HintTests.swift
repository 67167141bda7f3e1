import Foundation
import Testing
import UnderstudyTestSupport

/// Hints whose commands are executed as they stand: each leads on, on every version.
@Suite(.disabled(if: isStock)) struct HintTests {
    /// As initdb leaves a server that was told to keep little WAL: nobody may replicate, and no role may log in by TCP.
    private func fresh(_ installation: PostgresInstallation) throws -> Cluster {
        var options = Cluster.Options()
        options.settings = ["wal_level = minimal", "max_wal_senders = 0", "max_replication_slots = 1"]
        options.hostBasedAuthentication = []
        return try Cluster(installation, options)
    }

    /// The password is the one in the statement that the hint has.
    private func run(_ words: [String], _ primary: Cluster, password: String = "...") throws -> ProgramResult {
        try UnderstudyProgram.run(
            words + ["-d", primary.connectionString(user: "r"), "-w"], environment: ["PGPASSWORD": password])
    }

    private func backup(
        _ primary: Cluster, to target: String = TestDirectory.freshPath("backup"), _ more: [String]
    ) throws -> ProgramResult {
        try run(["basebackup", "-D", target, "-c", "fast"] + more, primary)
    }

    @Test(arguments: PostgresInstallation.all)
    func `lead from a server that nobody prepared to a backup, and past what stands in the way of slots`(
        installation: PostgresInstallation
    ) throws {
        let primary = try fresh(installation)
        var hints = HintFollower(primary)
        // No WAL sender, wal_level, role, rule in pg_hba.conf; and then a role without the right.
        _ = try hints.lead { try backup(primary, $0) }
        #expect(try primary.sql("SHOW wal_level") == "replica")
        try primary.sql("ALTER ROLE r WITH NOREPLICATION")
        _ = try hints.lead { try backup(primary, $0) }

        // A slot that is missing, one that is there, and one too many.
        _ = try hints.lead { try backup(primary, ["-S", "one"] + $0) }
        #expect(try primary.slots() == ["one"])
        var slotOptions = ["-C", "-S", "one"]
        _ = try hints.lead { _ in
            try backup(primary, slotOptions)
        } choose: { options in
            #expect(options == ["--slot alone"])
            slotOptions = ["-S", "one"]
            return []
        }
        _ = try hints.lead { try backup(primary, ["-C", "-S", "two"] + $0) }
        #expect(try primary.slots() == ["one", "two"])

        // A name that no slot has.
        let named = try backup(primary, ["-C", "-S", "My-Slot.3"])
        let name = try #require(named.errorOutput.firstMatch(of: /such as "(.+)"/)?.output.1, "\(named)")
        #expect(name == "my_slot_3")
        #expect(try backup(primary, ["-C", "-S", String(name)]).status == 0)

        // All WAL senders are taken.
        try primary.sql("ALTER SYSTEM SET max_wal_senders = 1")
        try primary.restart()
        let archive = try TestDirectory.make("wal")
        let receiver = try UnderstudyProgram.start(
            ["receivewal", "-D", archive, "-d", primary.connectionString(user: "r"), "-w"],
            environment: ["PGPASSWORD": "..."])
        try primary.waitForStream(receiver)
        _ = try hints.lead { try backup(primary, $0) }
        #expect(try primary.sql("SHOW max_wal_senders") == "11")
        receiver.send(SIGINT)
        #expect(receiver.wait().status == 0)
    }

    @Test(arguments: PostgresInstallation.all)
    func `lead past a tablespace in the way, and a file that looks like a relation's`(
        installation: PostgresInstallation
    ) throws {
        let primary = try Cluster(installation)
        try primary.makeReplicationRole("r")
        // Beside the primary, a tablespace has no other place unless it gets one; the path has what a shell would read.
        let path = TestDirectory.freshPath("a = $place")
        try TestDirectory.make(at: path)
        try primary.sql("CREATE TABLESPACE space LOCATION '\(path)'")
        let refused = try backup(primary, [])
        let option = try #require(refused.errorOutput.firstMatch(of: /elsewhere: (.+)\./)?.output.1, "\(refused)")
        let target = TestDirectory.freshPath("backup"), place = TestDirectory.freshPath("place")
        let pasted = option.replacing("NEWDIR", with: place)
        let command =
            "exec \"$0\" basebackup -c fast -w -d '\(primary.connectionString(user: "r"))' -D '\(target)' \(pasted)"
        let result = try Program.run(
            "/bin/sh", ["-c", command, UnderstudyProgram.path], environment: UnderstudyProgram.environment)
        #expect(result.status == 0, "\(result)")
        #expect(FileTree.exists("\(target)/PG_VERSION") && FileTree.names(place).count == 1)

        try primary.sql("DROP TABLESPACE space")
        let database = try primary.sql("SELECT oid FROM pg_database WHERE datname = 'postgres'")
        try primary.makeForeignFile("base/\(database)/16384.old", String(repeating: "x", count: 8192))
        let stray = try backup(primary, [])
        // Some versions do not take it for a relation's.
        guard stray.status != 0 else { return }
        expectRefused(stray, "the server says: invalid segment number", "16384.old", "--no-verify-checksums")
        #expect(try backup(primary, ["--no-verify-checksums"]).status == 0)
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a logical slot is named as one, and what the server cannot read is the server's`(
        installation: PostgresInstallation
    ) throws {
        var options = Cluster.Options()
        options.settings = ["wal_level = logical"]
        let primary = try Cluster(installation, options)
        try primary.makeReplicationRole("r")
        try primary.sql("SELECT pg_create_logical_replication_slot('words', 'pgoutput')")
        let refused = try backup(primary, ["-S", "words"])
        expectRefused(
            refused, "cannot use replication slot \"words\": it is a logical slot, not a physical one",
            "hint: Name a physical slot")
        #expect(!refused.errorOutput.contains("pg_drop_replication_slot"), "\(refused)")
        guard Account.isRoot else { return }
        let file = "\(primary.directory)/secret"
        try Program.check("/bin/sh", ["-c", "umask 077 && touch '\(file)'"], asCaller: true)
        expectRefused(
            try backup(primary, []), "error: the server says: could not open file \"./secret\": Permission denied",
            "That is the server's: its log says more.")
    }

    @Test func `a tablespace whose path no link in an archive can hold is refused before the copy`() throws {
        let primary = try Cluster(.newest)
        try primary.makeReplicationRole("r")
        let path = "\(try TestDirectory.make("long"))/\(String(repeating: "x", count: 99))"
        try TestDirectory.make(at: path)
        try primary.sql("CREATE TABLESPACE space LOCATION '\(path)'")
        let target = TestDirectory.freshPath("backup"), place = TestDirectory.freshPath("place")
        let refused = try backup(primary, to: target, ["-T", "\(path)=\(place)"])
        expectRefused(refused, "has a path of \(path.utf8.count) bytes", "take a base backup in tar format")
        #expect(!FileTree.exists(target) && !FileTree.exists(place))
        #expect(try backup(primary, to: target, ["-F", "t"]).status == 0)
    }
}
