import Foundation
import Testing
import UnderstudyTestSupport

/// Slots that cannot be used: refused with the reason, and left as they are.
@Suite(.disabled(if: isStock)) struct BadSlotTests {
    private func expectFailure(
        _ arguments: [String], on cluster: Cluster, slots: [String], _ words: String...
    ) throws {
        let parent = try TestDirectory.make("parent")
        let result = try UnderstudyProgram.run(arguments.map { $0.replacing("TARGET", with: "\(parent)/target") })
        expectRefused(result)
        for word in words { #expect(result.errorOutput.contains(word), "\(result)") }
        #expect(FileTree.names(parent) == [])
        #expect(try cluster.slots() == slots)
    }

    private func clone(_ cluster: Cluster) -> [String] {
        Command.clone.arguments(cluster.connectionString(), "TARGET")
    }

    private func basebackup(_ cluster: Cluster, _ arguments: [String]) -> [String] {
        Command.basebackup.arguments(cluster.connectionString(), "TARGET") + arguments
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a logical slot is refused`(installation: PostgresInstallation) throws {
        var options = Cluster.Options()
        options.settings = ["wal_level = logical"]
        let cluster = try Cluster(installation, options)
        // Only pgoutput is sure to be there.
        try cluster.sql("SELECT pg_create_logical_replication_slot('standby1', 'pgoutput')")
        try expectFailure(clone(cluster), on: cluster, slots: ["standby1"], "\"standby1\"", "logical")
        try expectFailure(basebackup(cluster, ["-S", "standby1"]), on: cluster, slots: ["standby1"], "logical")
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a slot in use is refused`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        try cluster.sql("SELECT pg_create_physical_replication_slot('standby1', true)")
        let receiver = try Program(
            installation.program("pg_receivewal"),
            ["-d", cluster.connectionString(), "-D", TestDirectory.make("receive"), "-S", "standby1"])
        try eventually("an active slot: \(receiver.errorOutput)") {
            try cluster.holds("SELECT active FROM pg_replication_slots")
        }
        try expectFailure(
            clone(cluster), on: cluster, slots: ["standby1"], "\"standby1\"", "in use",
            "stop the client that uses this one", "active_pid FROM pg_replication_slots WHERE slot_name = 'standby1'")
        try expectFailure(basebackup(cluster, ["-S", "standby1"]), on: cluster, slots: ["standby1"], "active")
        #expect(try cluster.holds("SELECT active FROM pg_replication_slots"))
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a slot whose WAL is lost is refused`(installation: PostgresInstallation) throws {
        var options = Cluster.Options()
        options.walSegmentMegabytes = 1
        options.settings = [
            "max_slot_wal_keep_size = 1MB", "max_wal_size = 2MB", "min_wal_size = 2MB", "wal_keep_size = 0",
        ]
        let cluster = try Cluster(installation, options)
        try cluster.sql("SELECT pg_create_physical_replication_slot('standby1', true)")
        try eventually("the loss of the slot's WAL", polls: 50) {
            try cluster.sql("CREATE TABLE t AS SELECT 1; DROP TABLE t; SELECT pg_switch_wal(); CHECKPOINT")
            return try cluster.holds("SELECT wal_status = 'lost' FROM pg_replication_slots")
        }
        try expectFailure(clone(cluster), on: cluster, slots: ["standby1"], "\"standby1\"", "removed")
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `-C with the name of a slot that exists is refused, -S with one that does not too`(
        installation: PostgresInstallation
    ) throws {
        let cluster = try Cluster(installation)
        try cluster.sql("SELECT pg_create_physical_replication_slot('mine')")
        try expectFailure(
            basebackup(cluster, ["-C", "-S", "mine"]), on: cluster, slots: ["mine"], "\"mine\" already exists")
        try expectFailure(
            basebackup(cluster, ["-S", "missing"]), on: cluster, slots: ["mine"], "\"missing\" does not exist")
    }

    @Test(arguments: Command.allCases)
    func `a name that no slot can have is refused`(command: Command) throws {
        let cluster = try Cluster(.newest)
        let name = "Standby-1"
        let arguments =
            command == .clone
            ? ["clone", "--primary", cluster.connectionString(), "-D", "TARGET", "--slot", name]
            : basebackup(cluster, ["-C", "-S", name])
        try expectFailure(arguments, on: cluster, slots: [], name)
    }

    /// What the server would cut, or alter, without a word.
    @Test(arguments: PostgresInstallation.outermost)
    func `a name that the server would not keep is refused before the copy`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        let long = String(repeating: "s", count: 64), source = cluster.connectionString()
        let kept = String(long.dropLast())
        for arguments in [
            ["clone", "--primary", source, "-D", "TARGET", "--slot", long],
            basebackup(cluster, ["-C", "-S", long]), basebackup(cluster, ["-S", long]),
            ["receivewal", "-d", source, "--create-slot", "-S", long],
        ] { try expectFailure(arguments, on: cluster, slots: [], long, "64 bytes, and the server keeps 63") }
        let result = try UnderstudyProgram.run(["receivewal", "-d", source, "--create-slot", "-S", kept])
        #expect(result.status == 0, "\(result)")
        #expect(try cluster.slots() == [kept])
        // It is not the slot that a longer name means.
        for arguments in [
            ["receivewal", "-d", source, "--drop-slot", "-S", long],
            ["receivewal", "-d", source, "-D", try TestDirectory.make("wal"), "-S", long],
        ] { try expectFailure(arguments, on: cluster, slots: [kept], "the server keeps 63") }
        for (source, words) in [
            ("\(source) application_name=\(long)", "application_name \"\(long)\" would not be kept as it is"),
            ("\(source) application_name=käse", "not printable ASCII"),
            ("\(source) sslcrl=/\(String(repeating: "x", count: 1000))", "primary_conninfo would have 10"),
        ] {
            try expectFailure(["clone", "--primary", source, "-D", "TARGET"], on: cluster, slots: [kept], words)
            try expectFailure(
                ["basebackup", "-d", source, "-D", "TARGET", "-R"], on: cluster, slots: [kept], words)
        }
        // Said once, by whichever of the run's connections it is noticed.
        let named = "\(source) application_name=\(long)"
        for arguments in [
            ["clone", "--primary", named, "-D", TestDirectory.freshPath("standby"), "--no-slot"],
            ["basebackup", "-d", named, "-D", TestDirectory.freshPath("backup"), "-c", "fast"],
        ] {
            let result = try UnderstudyProgram.run(arguments)
            #expect(result.status == (arguments[0] == "clone" ? 1 : 0), "\(result)")
            #expect(result.errorOutput.split(separator: "\n").count { $0.contains(long) } == 1, "\(result)")
        }
        try expectFailure(basebackup(cluster, ["-l", "a\nSTART TIMELINE: 7"]), on: cluster, slots: [kept], "line end")
    }
}
