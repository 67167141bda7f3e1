import Testing
import UnderstudyBackupFormat
import UnderstudyProtocol

@testable import UnderstudyBackup

/// What a backup over ordinary connections leaves out. `MemberRulesTests` has the same names for all versions; live servers
/// are compared by `ExclusionTests`.
@Suite struct BackupExclusionsTests {
    private static let versions = [
        90600, 100_000, 110_000, 120_000, 130_000, 140_000, 150_000, 160_000, 170_000, 180_000, 190_000,
    ]

    /// The decision about one entry of a directory; the path is that of the directory, "" for the root.
    private func decision(
        _ name: String, in directory: String = "", of root: BackupExclusions.Root = .data, beside others: [String] = [],
        version: Int = 180_000, statistics: String? = nil
    ) throws -> BackupExclusions.Decision {
        let exclusions = BackupExclusions(
            version: ServerVersion(number: version), statisticsDirectory: try statistics.map { try MemberPath($0) })
        let entries = ([name] + others).map { Array($0.utf8)[...] }
        let decisions = exclusions.decide(entries, in: directory.isEmpty ? nil : try MemberPath(directory), of: root)
        #expect(decisions.count == entries.count)
        return try #require(decisions.first)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var directory = ""
        var decision = BackupExclusions.Decision.leaveOut
        /// The first version that decides so; all before keep it. Nil: all keep it.
        var since: Int?
        var testDescription: String { "\(directory)/\(name)" }
    }

    private static let cases: [Case] = [
        Case(name: "postmaster.pid", since: 90600), Case(name: "postmaster.opts", since: 90600),
        Case(name: "postmaster.pid", directory: "a", since: 100_000), Case(name: "backup_label", since: 90600),
        Case(name: "tablespace_map", since: 90600), Case(name: "backup_label.old"), Case(name: "tablespace_map.old"),
        Case(name: "backup_manifest", since: 130_000), Case(name: "postgresql.auto.conf.tmp", since: 100_000),
        Case(name: "postgresql.auto.conf"), Case(name: "current_logfiles"),
        Case(name: "current_logfiles.tmp", since: 100_000),
        Case(name: "pg_internal.init", directory: "global", since: 110_000),
        Case(name: "pg_internal.init", directory: "base/5", since: 110_000),
        Case(name: "pg_internal.init.12", directory: "base/5", since: 110_000),
        Case(name: "pgsql_tmp", directory: "base", since: 90600),
        Case(name: "pgsql_tmp7.0", directory: "x/y", since: 90600),
        Case(name: ".DS_Store", directory: "base", since: 150_000), Case(name: "standby.signal"),
        Case(name: "recovery.signal"),
        Case(name: "recovery.conf"), Case(name: "PG_VERSION"), Case(name: "foo.bar"), Case(name: "log"),
        Case(name: "pg_control", directory: "global"), Case(name: "pg_tblspc"),
        Case(name: "16384", directory: "pg_tblspc"),
        // Made empty.
        Case(name: "pg_replslot", decision: .makeEmpty, since: 90600),
        Case(name: "pg_stat_tmp", decision: .makeEmpty, since: 90600),
        Case(name: "pg_dynshmem", decision: .makeEmpty, since: 100_000),
        Case(name: "pg_notify", decision: .makeEmpty, since: 100_000),
        Case(name: "pg_serial", decision: .makeEmpty, since: 100_000),
        Case(name: "pg_snapshots", decision: .makeEmpty, since: 100_000),
        Case(name: "pg_subtrans", decision: .makeEmpty, since: 100_000),
        Case(name: "pg_notify", directory: "a/b", decision: .makeEmpty, since: 100_000),
        Case(name: "pg_wal", decision: .makeEmpty, since: 100_000), Case(name: "pg_wal", directory: "base"),
        Case(name: "pg_stat"), Case(name: "pg_logical"), Case(name: "pg_twophase"), Case(name: "pg_xact"),
        // Relations.
        Case(name: "t3_16384", directory: "base/5", since: 110_000),
        Case(name: "t3_16384.1", directory: "base/5", since: 110_000),
        Case(name: "t3_16384_init", directory: "base/5", since: 110_000), Case(name: "t3_16384", directory: "base"),
        Case(name: "t3_16384", directory: "global"), Case(name: "t3_16384"), Case(name: "t3_16384", directory: "a/5"),
        Case(name: "t3_x", directory: "base/5"), Case(name: "16384", directory: "base/5"),
        Case(name: "16384_init", directory: "base/5"),
    ]

    @Test(arguments: cases)
    func `names are left out of the versions that do so`(what: Case) throws {
        for version in Self.versions {
            let expected = what.since.map { version >= $0 } ?? false ? what.decision : .keep
            #expect(try decision(what.name, in: what.directory, version: version) == expected, "\(version)")
        }
    }

    @Test func `before 10 the WAL directory is named pg_xlog`() throws {
        #expect(try decision("pg_xlog", version: 90600) == .makeEmpty)
        #expect(try decision("pg_wal", version: 90600) == .keep)
        #expect(try decision("pg_xlog") == .keep)
    }

    @Test func `what the WAL directory gets, by version`() {
        func directories(_ version: Int) -> [String] {
            BackupExclusions(version: ServerVersion(number: version)).directoriesOfWAL
        }
        #expect(directories(90600) == ["archive_status"] && directories(160_000) == ["archive_status"])
        #expect(directories(170_000) == ["archive_status", "summaries"])
    }

    @Test(arguments: [
        ("7", false), ("7.1", false), ("7_fsm", false), ("7_vm", false), ("7_vm.2", false), ("7_init", true),
        ("8", true), ("77", true), ("8_init", true), ("9", true), ("9_fsm", true), ("7_x", true), ("7x", true),
        ("007", true),
        ("10", true),
    ])
    func `of an unlogged relation, the init fork is kept alone`(name: String, isKept: Bool) throws {
        // Only 7 has an init fork: the others are temporary, a segment that no init fork has, or no relation's.
        let others = ["7_init", "9_initial", "_init", "t3_10_init", "10_init.1"]
        for directory in ["base/5", "pg_tblspc/16385/PG_18_202506291/5"] {
            #expect((try decision(name, in: directory, beside: others) == .keep) == isKept)
        }
        #expect((try decision(name, in: "5", of: .tablespace, beside: others) == .keep) == isKept)
        // From 11 on, and where relations are.
        #expect(try decision(name, in: "base/5", beside: others, version: 100_000) == .keep)
        for directory in ["", "base", "a/5", "base/x", "base/5/6", "pg_tblspc/16385/PG_17_202406281/5"] {
            #expect(try decision(name, in: directory, beside: others) == .keep, "\(directory)")
        }
    }

    @Test func `the order of the names makes no difference, and decisions are in their order`() throws {
        let exclusions = BackupExclusions(version: ServerVersion(number: 150_000))
        let names = ["7", "8", "pgsql_tmp1", "7_init", "t3_9", "7_fsm", "PG_VERSION"]
        let expected: [BackupExclusions.Decision] = [.leaveOut, .keep, .leaveOut, .keep, .leaveOut, .leaveOut, .keep]
        let directory = try MemberPath("base/5")
        func decide(_ names: [String]) -> [BackupExclusions.Decision] {
            exclusions.decide(names.map { Array($0.utf8)[...] }, in: directory, of: .data)
        }
        #expect(decide(names) == expected)
        #expect(decide(names.reversed()) == expected.reversed())
        #expect(decide([]) == [])
    }

    @Test func `names that lie at the top of a tablespace are not those of the data directory`() throws {
        #expect(try decision("pg_wal", of: .tablespace) == .keep)
        #expect(try decision("postmaster.pid", of: .tablespace, version: 90600) == .keep)
        #expect(try decision("pgsql_tmp", of: .tablespace) == .leaveOut)
        #expect(try decision("t3_16384", in: "5", of: .tablespace) == .leaveOut)
        #expect(try decision("t3_16384", of: .tablespace) == .keep)
    }

    @Test func `names need not be UTF-8`() throws {
        let exclusions = BackupExclusions(version: ServerVersion(number: 180_000))
        #expect(
            exclusions.decide([[0xFF, 0xFE], [UInt8](repeating: 0xFF, count: 300)[...]], in: nil, of: .data) == [
                .keep, .keep,
            ])
    }

    @Test func `the directory of temporary statistics is made empty, wherever it lies`() throws {
        #expect(try decision("stats", statistics: "stats") == .makeEmpty)
        #expect(try decision("stats", in: "a", statistics: "stats") == .keep)
        #expect(try decision("stats", in: "a/b", statistics: "a/b/stats") == .makeEmpty)
        #expect(try decision("a", statistics: "a/b/stats") == .keep)
        #expect(try decision("stats", of: .tablespace, statistics: "stats") == .keep)
        #expect(try decision("pg_stat_tmp", statistics: "stats") == .makeEmpty)
    }

    @Test(
        arguments: [
            ("pg_stat_tmp", "pg_stat_tmp"), ("./stats", "stats"), ("stats/", "stats"), ("/srv/data/a/stats", "a/stats"),
            ("/srv/data/stats/", "stats"), ("/srv/data", nil), ("/srv/data2/stats", nil), ("/run/stats", nil),
            ("../stats", nil),
            ("", nil), (".", nil),
        ] as [(String, String?)])
    func `the setting of that directory is made relative`(setting: String, path: String?) {
        #expect(BackupExclusions.directory(ofSetting: setting, in: "/srv/data")?.string == path)
    }
}
