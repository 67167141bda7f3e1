import Foundation
import Testing
import UnderstudyTestSupport

/// What a clone has to cope with: the oldest and the newest version see each kind of cluster once, the others one each.
struct CloneCase: Sendable, CustomTestStringConvertible {
    var installation: PostgresInstallation
    var checksums: Bool
    var walSegmentMegabytes: Int
    var groupAccess: Bool
    var smallTables: Int

    static let all = PostgresInstallation.all.enumerated().flatMap { index, installation in
        let kinds = [
            CloneCase(
                installation: installation, checksums: true, walSegmentMegabytes: 16, groupAccess: true,
                smallTables: manySmallTables),
            CloneCase(
                installation: installation, checksums: false, walSegmentMegabytes: 1, groupAccess: false,
                smallTables: 100),
            CloneCase(
                installation: installation, checksums: true, walSegmentMegabytes: 64, groupAccess: false,
                smallTables: 100),
        ]
        return PostgresInstallation.outermost.contains(installation) ? kinds : [kinds[index % kinds.count]]
    }

    private static let manySmallTables =
        ProcessInfo.processInfo.environment["UNDERSTUDY_TEST_SMALL_TABLES"].flatMap(Int.init) ?? 10_000

    var testDescription: String {
        "\(installation), \(checksums ? "checksums" : "no checksums"), WAL segments of \(walSegmentMegabytes) MB, "
            + "\(groupAccess ? "group access, " : "")\(smallTables) small tables"
    }

    var options: Cluster.Options {
        var options = Cluster.Options()
        options.checksums = checksums
        options.walSegmentMegabytes = walSegmentMegabytes
        options.groupAccess = groupAccess
        // The digests lock every table in one transaction.
        options.settings = ["max_locks_per_transaction = 512"]
        return options
    }
}

@Suite(.disabled(if: isStock)) struct CloneTests {
    @Test(arguments: CloneCase.all)
    func `a clone taken under write load starts, streams and equals its primary`(the: CloneCase) throws {
        let primary = try Cluster(the.installation, the.options)
        try Workload.prepare(primary)
        try primary.makeSmallTables(the.smallTables)
        try primary.makeUnloggedTable("unlogged")
        try primary.makeForeignFile("notes of the administrator", "keep me\n")
        let spaces = try [primary.makeTablespace("one"), primary.makeTablespace("two")]
        let targets = spaces.map { _ in TestDirectory.freshPath("mapped") }
        let load = try Workload(on: primary)

        let target = TestDirectory.freshPath("standby")
        let port = try Port.free()
        let result = try clone(
            primary, to: target,
            [
                "-T", "\(spaces[0])=\(targets[0])", "-T", "\(spaces[1])=\(targets[1])", "--slot", "standby1", "--start",
                "--standby-port", String(port), "--wait", "60s", "--bin-dir", the.installation.programs,
            ])
        let standby = try Cluster(running: target, the.installation)

        #expect(standby.port == port)
        #expect(try primary.holds("SELECT active FROM pg_replication_slots WHERE slot_name = 'standby1'"), "\(result)")
        #expect(try primary.slots() == ["standby1"])
        #expect(try standby.holds("SELECT pg_is_in_recovery()"))
        try load.stop()
        try primary.waitForReplay(on: standby)
        #expect(try primary.differences(from: standby) == [])
        #expect(try FileTree.text("\(target)/notes of the administrator") == "keep me\n")
        #expect(try FileTree.mode(target) == (the.groupAccess ? 0o750 : 0o700))
        #expect(try FileTree.mode("\(target)/PG_VERSION") == (the.groupAccess ? 0o640 : 0o600))
        for (space, target) in zip(spaces, targets) {
            #expect(FileTree.names(space) == FileTree.names(target))
        }
    }

    @Test(arguments: PostgresInstallation.all)
    func `a clone that is not started tells the command that starts it`(installation: PostgresInstallation) throws {
        let primary = try Cluster(installation)
        let target = TestDirectory.freshPath("standby")
        let result = try clone(primary, to: target, ["--slot", "standby1", "--standby-port", String(Port.free())])
        #expect((result.output + result.errorOutput).contains("pg_ctl"), "\(result)")
        #expect(!FileTree.exists("\(target)/postmaster.pid"))
        #expect(FileTree.exists("\(target)/standby.signal"))
        #expect(try FileTree.text("\(target)/postgresql.auto.conf").contains("primary_slot_name = 'standby1'"))
        #expect(try primary.holds("SELECT restart_lsn IS NOT NULL FROM pg_replication_slots"))
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a slot that exists, is physical and idle is taken over`(installation: PostgresInstallation) throws {
        let primary = try Cluster(installation)
        try primary.sql("SELECT pg_create_physical_replication_slot('standby1', true)")
        let target = TestDirectory.freshPath("standby")
        _ = try clone(
            primary, to: target,
            [
                "--slot", "standby1", "--start", "--standby-port", String(Port.free()), "--bin-dir",
                installation.programs,
            ])
        let standby = try Cluster(running: target, installation)
        try primary.waitForReplay(on: standby)
        #expect(try primary.holds("SELECT active FROM pg_replication_slots WHERE slot_name = 'standby1'"))
    }

    @Test func `progress as JSON ends with the phase done and the figures of the backup`() throws {
        let primary = try Cluster(.newest)
        try Workload.prepare(primary)
        let result = try clone(
            primary, to: TestDirectory.freshPath("standby"), ["--slot", "standby1", "--progress=json"])
        let objects = try result.output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any], "\(result)")
        }
        let keys = [
            "phase", "bytesDone", "bytesTotal", "fraction", "bytesPerSecond", "etaSeconds", "tablespacesDone",
            "tablespacesTotal", "elapsedSeconds",
        ]
        for key in keys {
            #expect(objects.contains { $0[key] != nil }, "\(key) in \(result)")
        }
        let last = try #require(objects.last)
        #expect(last["phase"] as? String == "done")
        #expect(try #require(last["verifiedFiles"] as? Int) > 900)
        #expect(last["timeline"] as? Int == 1)
        #expect((last["startLSN"] as? String)?.contains("/") == true)
        #expect((last["endLSN"] as? String)?.contains("/") == true)
        #expect(objects.dropLast().allSatisfy { $0["phase"] as? String != "done" })
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `a password goes into primary_conninfo, or into the password file asked for`(
        installation: PostgresInstallation
    ) throws {
        var options = Cluster.Options()
        options.hostBasedAuthentication = ["host replication r 127.0.0.1/32 scram-sha-256"]
        let primary = try Cluster(installation, options)
        try primary.makeReplicationRole("r", password: "se'cret word")
        let connection = primary.connectionString(user: "r") + #" password='se\'cret word'"#
        for passfile in [nil, TestDirectory.freshPath("passfile")] {
            let target = TestDirectory.freshPath("standby")
            let result = try UnderstudyProgram.run(
                Command.clone.arguments(connection, target)
                    + [
                        "--start", "--standby-port", String(Port.free()), "--bin-dir", installation.programs,
                    ] + (passfile.map { ["--passfile", $0] } ?? []))
            try #require(result.status == 0, "\(result)")
            let standby = try Cluster(running: target, installation)
            try primary.waitForReplay(on: standby)
            #expect(!(result.output + result.errorOutput).contains("cret word"), "\(result)")
            let inSettings = try FileTree.text("\(target)/postgresql.auto.conf").contains("cret word")
            #expect(inSettings == (passfile == nil))
            if let passfile {
                #expect(try FileTree.mode(passfile) == 0o600)
                #expect(try FileTree.text(passfile).contains("cret word"))
            }
        }
    }

    @Test func `a password from a password file that the standby cannot read is kept itself`() throws {
        try #require(Account.isRoot)
        var options = Cluster.Options()
        options.hostBasedAuthentication = ["host replication r 127.0.0.1/32 scram-sha-256"]
        let primary = try Cluster(.newest, options)
        try primary.makeReplicationRole("r", password: "secret")
        // Of root, as root's ~/.pgpass.
        let used = TestDirectory.freshPath("pgpass"), parent = try TestDirectory.make("parent", mode: 0o755)
        try "*:*:*:*:secret\n".write(toFile: used, atomically: false, encoding: .utf8)
        try Program.check("/bin/chmod", ["600", used], asCaller: true)
        let connection = primary.connectionString(user: "r") + " passfile=\(used)"
        for passfile in [nil, "\(parent)/passfile"] {
            let target = "\(parent)/standby\(passfile == nil ? 1 : 2)"
            let result = try Program.run(
                UnderstudyProgram.path,
                Command.clone.arguments(connection, target) + ["--owner", "postgres", "--start"]
                    + ["--standby-port", String(Port.free()), "--bin-dir", primary.installation.programs]
                    + (passfile.map { ["--passfile", $0] } ?? []), environment: UnderstudyProgram.environment,
                asCaller: true)
            try #require(result.status == 0, "\(result)")
            let settings = try FileTree.text("\(target)/postgresql.auto.conf")
            #expect(settings.contains("password=secret") == (passfile == nil) && !settings.contains(used))
            if let passfile { #expect(try FileTree.text(passfile).hasSuffix(":replication:r:secret\n")) }
            _ = try Cluster(running: target, .newest)
        }
    }
}
