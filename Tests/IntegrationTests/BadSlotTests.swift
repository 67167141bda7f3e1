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

    @Test(arguments: PostgresInstallation.all)
    func `a logical slot is refused`(installation: PostgresInstallation) throws {
        var options = Cluster.Options()
        options.settings = ["wal_level = logical"]
        let cluster = try Cluster(installation, options)
        // Only pgoutput is sure to be there.
        try cluster.sql("SELECT pg_create_logical_replication_slot('standby1', 'pgoutput')")
        try expectFailure(clone(cluster), on: cluster, slots: ["standby1"], "\"standby1\"", "logical")
        try expectFailure(basebackup(cluster, ["-S", "standby1"]), on: cluster, slots: ["standby1"], "logical")
    }

    @Test(arguments: PostgresInstallation.all)
    func `a slot in use is refused`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        try cluster.sql("SELECT pg_create_physical_replication_slot('standby1', true)")
        let receiver = try Program(
            installation.program("pg_receivewal"),
            ["-d", cluster.connectionString(), "-D", TestDirectory.make("receive"), "-S", "standby1"])
        try eventually("an active slot: \(receiver.errorOutput)") {
            try cluster.holds("SELECT active FROM pg_replication_slots")
        }
        try expectFailure(clone(cluster), on: cluster, slots: ["standby1"], "\"standby1\"", "in use")
        try expectFailure(basebackup(cluster, ["-S", "standby1"]), on: cluster, slots: ["standby1"], "active")
        #expect(try cluster.holds("SELECT active FROM pg_replication_slots"))
    }

    @Test(arguments: PostgresInstallation.all)
    func `a slot whose WAL is lost is refused`(installation: PostgresInstallation) throws {
        var options = Cluster.Options()
        options.walSegmentMegabytes = 1
        options.settings = ["max_slot_wal_keep_size = 1MB", "max_wal_size = 2MB", "min_wal_size = 2MB"]
        let cluster = try Cluster(installation, options)
        try cluster.sql("SELECT pg_create_physical_replication_slot('standby1', true)")
        try eventually("the loss of the slot's WAL", polls: 50) {
            try cluster.sql("CREATE TABLE t AS SELECT 1; DROP TABLE t; SELECT pg_switch_wal(); CHECKPOINT")
            return try cluster.holds("SELECT wal_status = 'lost' FROM pg_replication_slots")
        }
        try expectFailure(clone(cluster), on: cluster, slots: ["standby1"], "\"standby1\"", "removed")
    }

    @Test(arguments: PostgresInstallation.all)
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
}
