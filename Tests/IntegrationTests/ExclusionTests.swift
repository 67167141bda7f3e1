import Foundation
import Testing
import UnderstudyBackupFormat
import UnderstudyProtocol
import UnderstudyTestSupport

@testable import UnderstudyBackup

/// What a backup over ordinary connections leaves out, beside what BASE_BACKUP leaves out.
@Suite(.disabled(if: isStock)) struct ExclusionTests {
    @Test(arguments: PostgresInstallation.all)
    func `of the same directory, the same names are kept as BASE_BACKUP sends`(
        installation: PostgresInstallation
    ) throws {
        var options = Cluster.Options()
        options.settings = ["autovacuum = off"]
        let cluster = try Cluster(installation, options)
        let tablespace = try cluster.makeTablespace("space")
        try cluster.sql(
            "CREATE UNLOGGED TABLE v TABLESPACE space AS SELECT 1; SELECT pg_create_physical_replication_slot('s', true)"
        )
        try cluster.makeUnloggedTable("u")
        let session = try Program(
            installation.program("psql"),
            [
                "-X", "-d", cluster.connectionString() + " dbname=postgres", "-c",
                "CREATE TEMPORARY TABLE t AS SELECT 1",
                "-c", "CREATE TEMPORARY TABLE w TABLESPACE space AS SELECT 1", "-c", "SELECT pg_sleep(600)",
            ])
        try eventually("temporary tables: \(session.errorOutput)") {
            try cluster.holds("SELECT count(*) = 2 FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'")
        }
        let versionDirectory = try #require(FileTree.names(tablespace).first)
        let database = try cluster.sql("SELECT oid FROM pg_database WHERE datname = 'postgres'")
        for path in Self.oddFiles {
            try make(path.replacing("DATABASE", with: database), in: cluster.directory)
        }
        for path in ["DATABASE/odd", "pgsql_tmp/x", ".DS_Store", "DATABASE/backup_label", "DATABASE/t3_99", "pg_wal/x"]
        {
            try make(path.replacing("DATABASE", with: database), in: "\(tablespace)/\(versionDirectory)")
        }
        let statistics = try moveStatistics(of: cluster)

        let target = TestDirectory.freshPath("archives")
        try Program.check(
            installation.program("pg_basebackup"),
            [
                "-d", cluster.connectionString(), "-D", target, "-F", "t", "-X", "none", "-c", "fast",
                "--no-verify-checksums",
            ])
        let number = try #require(Int(cluster.sql("SHOW server_version_num")))
        let exclusions = BackupExclusions(
            version: ServerVersion(number: number), statisticsDirectory: statistics)

        var kept = try keep(of: cluster.directory, exclusions, .data)
        // These are made for the backup. Of pg_tblspc's links, the map tells.
        kept += exclusions.directoriesOfWAL.map { "pg_wal/\($0)/" } + ["backup_label", "tablespace_map"]
        expectSame(kept, try names(in: "\(target)/base.tar"))

        let oid = try cluster.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'space'")
        let inTablespace = try keep(of: "\(tablespace)/\(versionDirectory)", exclusions, .tablespace)
            .map { "\(versionDirectory)/\($0)" }
        expectSame(inTablespace + ["\(versionDirectory)/"], try names(in: "\(target)/\(oid).tar"))
        #expect(session.isRunning)
    }

    /// Names that are left out, and names that are like them.
    private static let oddFiles = [
        "foo.bar", "odd directory/with a blank", "odd directory/postmaster.pid", "odd directory/pgsql_tmp1",
        "odd directory/pg_notify/x", "odd directory/t3_1", "odd directory/7", "odd directory/7_init",
        "odd directory/pg_wal/x",
        ".DS_Store", "base/DATABASE/.DS_Store", "backup_label", "backup_label.old", "tablespace_map",
        "tablespace_map.old",
        "backup_manifest", "backup_manifest.old", "postgresql.auto.conf.tmp", "current_logfiles",
        "current_logfiles.tmp",
        "standby.signal", "recovery.signal", "recovery.conf", "pgsql_tmp.x", "base/pgsql_tmp/pgsql_tmp1.0",
        "base/odd/1",
        "base/DATABASE/pg_internal.init.7", "base/DATABASE/odd", "base/DATABASE/t3_99_fsm.1", "base/DATABASE/t3_99_x",
        "base/DATABASE/t3_99_init", "base/DATABASE/990", "base/DATABASE/990.1", "base/DATABASE/990_vm",
        "base/DATABASE/990_init", "base/DATABASE/991", "base/DATABASE/9901", "base/DATABASE/990_x", "global/t3_1",
        "global/990", "global/990_init", "pg_stat_tmp/x", "pg_snapshots/x", "pg_stat/x", "pg_replslot/x/y", "pg_wal/x",
    ]

    /// Makes an empty file, and the directories above it.
    private func make(_ path: String, in root: String) throws {
        var directory = root
        for name in path.split(separator: "/").dropLast() {
            directory += "/\(name)"
            if !FileTree.exists(directory) { try TestDirectory.make(at: directory) }
        }
        try TestDirectory.write("", to: "\(root)/\(path)")
    }

    /// Has servers that know the setting keep their temporary statistics elsewhere in the data directory.
    private func moveStatistics(of cluster: Cluster) throws -> MemberPath? {
        guard cluster.installation.major < 15 else { return nil }
        try make("odd directory/stats/x", in: cluster.directory)
        try cluster.sql("ALTER SYSTEM SET stats_temp_directory = 'odd directory/stats'")
        try cluster.sql("SELECT pg_reload_conf()")
        try eventually("the setting") { try cluster.sql("SHOW stats_temp_directory") == "odd directory/stats" }
        let setting = try cluster.sql("SHOW stats_temp_directory")
        return BackupExclusions.directory(ofSetting: setting, in: cluster.directory)
    }

    /// The paths beneath `root` that are kept; those of directories end with a slash.
    private func keep(
        of root: String, _ exclusions: BackupExclusions, _ kind: BackupExclusions.Root, _ directory: String? = nil
    ) throws -> [String] {
        let entries = FileTree.names(directory.map { "\(root)/\($0)" } ?? root)
        let decisions = exclusions.decide(
            entries.map { Array($0.utf8)[...] }, in: try directory.map { try MemberPath($0) }, of: kind)
        var paths: [String] = []
        for (name, decision) in zip(entries, decisions) where decision != .leaveOut {
            let path = directory.map { "\($0)/\(name)" } ?? name
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(root)/\(path)")
            switch (attributes[.type] as? FileAttributeType, decision) {
            case (.typeSymbolicLink, _): #expect(directory == "pg_tblspc")
            case (.typeDirectory, .makeEmpty): paths.append("\(path)/")
            case (.typeDirectory, _): paths += ["\(path)/"] + (try keep(of: root, exclusions, kind, path))
            default: paths.append(path)
            }
        }
        return paths
    }

    private func expectSame(
        _ kept: [String], _ sent: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let more = Set(kept).subtracting(sent).sorted(), fewer = Set(sent).subtracting(kept).sorted()
        #expect(more == [] && fewer == [], "too many: \(more), missing: \(fewer)", sourceLocation: sourceLocation)
        #expect(kept.count == sent.count, sourceLocation: sourceLocation)
    }

    private func names(in archive: String) throws -> [String] {
        let list = try Program.check("/usr/bin/tar", ["--quoting-style=literal", "-tf", archive]).output
        // The directories in the WAL directory come as ./pg_wal/archive_status/.
        return list.split(separator: "\n").map { String($0.hasPrefix("./") ? $0.dropFirst(2) : $0) }
    }
}
