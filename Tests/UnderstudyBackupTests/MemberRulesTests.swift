import Testing
import UnderstudyBackupFormat
import UnderstudyProtocol
import UnderstudyTestSupport

@testable import UnderstudyBackup

@Suite("Members that a server leaves out by its own rules")
struct MemberRulesTests {
    private static let versions = [
        90300, 90400, 90500, 90600, 100_000, 110_000, 120_000, 130_000, 140_000, 150_000, 160_000, 170_000, 180_000,
        190_000,
    ]

    private static func rules(_ number: Int, includesWAL: Bool = false) -> MemberRules {
        MemberRules(version: ServerVersion(number: number), includesWAL: includesWAL)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var path: String
        /// The first version that leaves it out; nil for none of those that are served.
        var since: Int?
        var kinds: [TarEntry.Kind] = [.file, .directory, .symbolicLink(target: [1])]
        var archive = MemberRules.Archive.data
        var testDescription: String { "\(path) since \(since ?? 0)" }
    }

    private static let notFiles: [TarEntry.Kind] = [.directory, .symbolicLink(target: [1])]
    private static let notDirectories: [TarEntry.Kind] = [.file, .symbolicLink(target: [1])]

    private static let cases: [Case] = [
        // Of the process.
        Case(path: "postmaster.pid", since: 90300), Case(path: "postmaster.opts", since: 90300),
        Case(path: "postmaster.pid/x", since: 90300),
        Case(path: "base/postmaster.pid", since: 100_000), Case(path: "a/b/postmaster.opts", since: 100_000),
        Case(path: "a/postmaster.pid/b", since: 100_000), Case(path: "postmaster.pid.old"),
        Case(path: "xpostmaster.pid"),
        // Temporary files, and the names of this program.
        Case(path: "pgsql_tmp", since: 90300), Case(path: "base/pgsql_tmp/pgsql_tmp1.0", since: 90300),
        Case(path: "pgsql_tmp.understudy", since: 90300), Case(path: "base/1/pgsql_tmp.understudy", since: 90300),
        Case(path: "pgsql_tmp.understudy.backup_manifest", since: 90300), Case(path: "pgsql_tm"),
        Case(path: "a/xpgsql_tmp"),
        // Of another backup.
        Case(path: "backup_label", since: 90300, kinds: [.directory]), Case(path: "backup_label", kinds: [.file]),
        Case(path: "backup_label/x", since: 90300), Case(path: "base/backup_label", since: 90300),
        Case(path: "backup_label.old"), Case(path: "tablespace_map.old"),
        Case(path: "tablespace_map", since: 90500, kinds: [.file]), Case(path: "a/tablespace_map", since: 90500),
        Case(path: "backup_manifest", since: 130_000, kinds: [.file]),
        Case(path: "a/b/backup_manifest", since: 130_000),
        Case(path: "backup_manifest.tmp"),
        // Made anew.
        Case(path: "global/pg_internal.init", since: 110_000), Case(path: "base/1/pg_internal.init", since: 110_000),
        Case(path: "base/1/pg_internal.init.4711", since: 130_000),
        Case(path: "current_logfiles.tmp", since: 100_000), Case(path: "current_logfiles"),
        Case(path: "postgresql.auto.conf.tmp", since: 100_000), Case(path: "postgresql.auto.conf", kinds: [.file]),
        Case(path: ".DS_Store", since: 170_000), Case(path: "base/.DS_Store", since: 170_000),
        // Sent empty.
        Case(path: "pg_replslot/slot", since: 90400), Case(path: "pg_replslot/slot/state", since: 90400),
        Case(path: "pg_stat_tmp/db_0.stat", since: 90400), Case(path: "a/pg_stat_tmp/x", since: 100_000),
        Case(path: "pg_dynshmem/mmap.1", since: 100_000), Case(path: "pg_notify/0000", since: 100_000, kinds: [.file]),
        Case(path: "pg_serial/0000", since: 100_000, kinds: [.file]), Case(path: "pg_snapshots/x", since: 100_000),
        Case(path: "pg_subtrans/0000", since: 100_000, kinds: [.file]),
        Case(path: "a/pg_subtrans/b/0000", since: 100_000),
        Case(path: "pg_notify", kinds: [.directory]), Case(path: "pg_replslot", kinds: [.directory]),
        Case(path: "pg_stat/global.stat"), Case(path: "pg_logical/snapshots/0-1.snap"),
        Case(path: "pg_twophase/0000", kinds: [.file]),
        // Temporary tables.
        Case(path: "base/5/t3_16384", since: 110_000), Case(path: "base/5/t3_16384_fsm.1", since: 110_000),
        Case(path: "base/5/t3_16384_fork"), Case(path: "base/5/t3"), Case(path: "t3_16384"),
        Case(path: "base/t3_16384"),
        Case(path: "global/5/t3_16384"), Case(path: "base/5/16384_fsm.1", kinds: [.file]),
        // Of another kind.
        Case(path: "PG_VERSION", since: 90300, kinds: notFiles),
        Case(path: "global/pg_control", since: 90300, kinds: notFiles),
        Case(path: "base/1/PG_VERSION", since: 90300, kinds: notFiles),
        Case(path: "base/1/pg_filenode.map", since: 90300, kinds: notFiles),
        Case(path: "base/1/1259", since: 90300, kinds: notFiles),
        Case(path: "base/1/1259_fsm.1", since: 90300, kinds: notFiles),
        Case(path: "global/1262", since: 90300, kinds: notFiles),
        Case(path: "pg_xact/0000", since: 90300, kinds: notFiles),
        Case(path: "pg_multixact/members/0000", since: 90300, kinds: notFiles),
        Case(path: "base/1", kinds: [.directory]), Case(path: "pg_logical/1", kinds: [.file, .directory]),
        Case(path: "postgresql.conf", since: 90300, kinds: notFiles),
        Case(path: "postgresql.auto.conf", since: 90300, kinds: notFiles),
        Case(path: "recovery.signal", since: 90300, kinds: notFiles),
        Case(path: "standby.signal", since: 90300, kinds: notFiles),
        Case(path: "recovery.conf", since: 90300, kinds: notFiles),
        Case(path: "backup_manifest", since: 90300, kinds: notFiles),
        Case(path: "tablespace_map", since: 90300, kinds: notFiles),
        Case(path: "base", since: 90300, kinds: notDirectories),
        Case(path: "pg_twophase", since: 90300, kinds: notDirectories),
        Case(path: "pg_tblspc", since: 90300, kinds: notDirectories),
        // Anything else.
        Case(path: "PG_VERSION", kinds: [.file]), Case(path: "base/1/1259", kinds: [.file]),
        Case(path: "global/pg_control", kinds: [.file]), Case(path: "a/pg_control"), Case(path: "base/pg_control"),
        Case(path: "standby.signal", kinds: [.file]), Case(path: "a/standby.signal"),
        Case(path: "recovery.conf", kinds: [.file]), Case(path: "log/postmaster"),
        Case(path: "pg_tblspc", kinds: [.directory]),
        Case(path: "pg_tblspc/16385", kinds: [.directory, .symbolicLink(target: [1])]),
    ]

    @Test("are refused of the versions that leave them out, and of no other", arguments: cases)
    func table(_ what: Case) throws {
        for version in Self.versions {
            for kind in what.kinds {
                let flaw = Self.rules(version).flaw(of: try MemberPath(what.path), kind, in: what.archive)
                #expect(
                    (flaw != nil) == (what.since.map { version >= $0 } ?? false), "\(version) \(kind): \(flaw ?? "")")
            }
        }
    }

    @Test(
        "a tablespace has one directory, that of its server's version",
        arguments: [
            ("PG_15_202209061", .directory, true), ("PG_15_202209061/5/1", .file, true), ("PG_15_1/x", .file, true),
            ("PG_15_202209061", .file, false), ("PG_15_/5/1", .file, false), ("PG_15_2022x/5/1", .file, false),
            ("PG_15/5/1", .file, false), ("PG_14_202107181/5/1", .file, false), ("PG_16_202307071", .directory, false),
            ("authorized_keys", .file, false), ("pg_wal", .directory, false), ("x/PG_15_202209061", .directory, false),
            ("postmaster.pid", .file, false), ("PG_15_202209061/pgsql_tmp/x", .file, false),
            ("PG_15_202209061/pgsql_tmp.understudy", .file, false), ("PG_15_202209061/backup_label", .file, false),
            ("PG_15_202209061/5/t3_1", .file, false), ("PG_15_202209061/pg_wal/x", .file, true),
            ("backup_label", .file, false),
        ] as [(String, TarEntry.Kind, Bool)])
    func tablespace(_ path: String, _ kind: TarEntry.Kind, _ passes: Bool) throws {
        let flaw = Self.rules(150_018).flaw(of: try MemberPath(path), kind, in: .tablespace)
        #expect((flaw == nil) == passes, "\(flaw ?? "")")
    }

    @Test("the directory of a tablespace has the server's version as that writes it")
    func versions() throws {
        for (number, name) in [(90326, "PG_9.3_201306121"), (100_023, "PG_10_201707211"), (190_000, "PG_19_202606281")]
        {
            #expect(Self.rules(number).flaw(of: try MemberPath(name), .directory, in: .tablespace) == nil)
        }
        #expect(Self.rules(90326).flaw(of: try MemberPath("PG_9_201306121"), .directory, in: .tablespace) != nil)
    }

    @Test(
        "the WAL directory is empty unless WAL was asked for, and then has nothing else",
        arguments: [
            ("pg_wal", .directory, true, true), ("pg_wal", .file, false, false),
            ("pg_wal/archive_status", .directory, true, true), ("pg_wal/summaries", .directory, true, true),
            ("pg_wal/archive_status", .file, false, false), ("pg_wal/x", .directory, false, false),
            ("pg_wal/000000010000000000000003", .file, false, true), ("pg_wal/00000002.history", .file, false, true),
            ("pg_wal/archive_status/000000010000000000000003.done", .file, false, true),
            ("pg_wal/archive_status/00000002.history.done", .file, false, true),
            ("pg_wal/archive_status/000000010000000000000003.ready", .file, false, false),
            ("pg_wal/000000010000000000000003.partial", .file, false, false), ("pg_wal/x", .file, false, false),
            ("pg_wal/00000002.historyx", .file, false, false), ("pg_wal/summaries/1", .file, false, false),
            ("pg_walx", .file, true, true), ("base/pg_wal/x", .file, true, true),
        ] as [(String, TarEntry.Kind, Bool, Bool)])
    func walDirectory(_ path: String, _ kind: TarEntry.Kind, _ passes: Bool, _ passesWithWAL: Bool) throws {
        let path = try MemberPath(path)
        #expect((Self.rules(170_000).flaw(of: path, kind, in: .data) == nil) == passes)
        #expect((Self.rules(170_000, includesWAL: true).flaw(of: path, kind, in: .data) == nil) == passesWithWAL)
    }

    @Test("summaries come from 17 on, and what is unknown may come from servers that are")
    func newDirectories() throws {
        let summaries = try MemberPath("pg_wal/summaries"), new = try MemberPath("pg_wal/new")
        #expect(Self.rules(160_000).flaw(of: summaries, .directory, in: .data) != nil)
        #expect(Self.rules(200_000).flaw(of: new, .directory, in: .data) == nil)
    }

    @Test("nothing that a recorded server sent is refused", arguments: Recording.versions)
    func recorded(_ version: String) throws {
        let recording = try Recording(version)
        for (name, backup) in recording.meta.backups where !name.hasPrefix("25") {
            let rules = Self.rules(recording.meta.server_version_num, includesWAL: name.hasPrefix("21"))
            // 21 and 22 were asked for with a map of tablespaces.
            for file in backup.files where file.path != "tablespace_map" {
                let kind: TarEntry.Kind =
                    switch file.type {
                    case "dir": .directory
                    case "symlink": .symbolicLink(target: [1])
                    default: .file
                    }
                let flaw = rules.flaw(
                    of: try MemberPath(file.path), kind, in: file.archive == .base ? .data : .tablespace)
                #expect(flaw == nil, "\(name): \(file.path): \(flaw ?? "")")
            }
        }
    }
}
