import Foundation
import Glibc
import Testing
import UnderstudyConnection
import UnderstudyPlatform
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

/// What is there is compared with the source block by block, and only what differs comes.
@Suite(.disabled(if: isStock)) struct UpdateTests {
    private static let row = 65536

    private func update(_ target: UpdatingTarget, from cluster: Cluster) throws(UnderstudyError) -> BackupResult {
        var options = BaseBackup.Options(wal: .none, checkpoint: .fast, connections: .parallel(3))
        options.existing = .updated
        let run = BackupRun(
            options: options, target: target,
            parameters: try ConnectionParameters(reading: ConnectionString(cluster.connectionString())),
            interrupt: Interrupt(), hurry: Interrupt(), meter: ProgressMeter { _ in }, logger: .silent)
        return try run.run(inspect: { _, _ in }, addFiles: { _ in })
    }

    /// The files of relations and the like in a data directory, which do not change while the server has nothing to do.
    private func files(_ directory: String) -> [String] {
        (FileManager.default.subpaths(atPath: directory) ?? []).filter { name in
            guard name.hasPrefix("base/") || name.hasPrefix("global/") || name.hasPrefix("pg_xact/") else {
                return false
            }
            return !name.hasSuffix("pg_control") && !name.hasSuffix("pg_internal.init")
        }.filter { name in
            let attributes = try? FileManager.default.attributesOfItem(atPath: "\(directory)/\(name)")
            return attributes?[.type] as? FileAttributeType != .typeDirectory
        }
    }

    private func size(_ path: String) throws -> Int {
        try #require(FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    }

    private func flip(_ bit: Int, of path: String) throws {
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        defer { try? file.close() }
        try file.seek(toOffset: UInt64(bit / 8))
        let byte = try #require(file.read(upToCount: 1)?.first)
        try file.seek(toOffset: UInt64(bit / 8))
        try file.write(contentsOf: Data([byte ^ (1 << (bit % 8))]))
    }

    /// A quiet cluster, a copy of it, and the target that this is.
    private func makeCopy(
        _ installation: PostgresInstallation
    ) throws -> (Cluster, String, UpdatingTarget) {
        var options = Cluster.Options()
        options.settings = ["autovacuum = off", "bgwriter_lru_maxpages = 0"]
        let cluster = try Cluster(installation, options)
        let place = try cluster.makeTablespace("space"), copied = TestDirectory.freshPath("space")
        try cluster.sql(
            """
            CREATE TABLE large AS SELECT i, repeat('x', 900) FROM generate_series(1, 40000) i;
            CREATE TABLE elsewhere TABLESPACE space AS SELECT i FROM generate_series(1, 1000) i;
            CHECKPOINT
            """)
        let oid = try cluster.sql("SELECT oid FROM pg_tablespace WHERE spcname = 'space'")
        let path = TestDirectory.freshPath("copy")
        let result = try basebackup(cluster, to: path, ["-X", "none", "-T", "\(place)=\(copied)"])
        #expect(result.status == 0, "\(result)")
        return (cluster, path, try UpdatingTarget(path, tablespaces: [#require(UInt32(oid)): copied]))
    }

    private func expectEqual(_ path: String, _ cluster: Cluster) throws {
        let names = files(cluster.directory)
        #expect(names.count > 500)
        for name in names {
            let isSame = FileManager.default.contentsEqual(
                atPath: "\(path)/\(name)", andPath: "\(cluster.directory)/\(name)")
            if !isSame { Issue.record("\(name) differs") }
        }
        let verdict = try verify(path, of: cluster, ["--no-parse-wal"])
        #expect(verdict.status == 0, "\(verdict)")
    }

    @Test func `a thousand flipped bits are found, and little else is sent`() throws {
        let installation = try PostgresInstallation.all.first { $0.major == 15 } ?? .newest
        let (cluster, path, target) = try makeCopy(installation)
        let names = files(path).sorted().filter { (try? size("\(path)/\($0)")) ?? 0 > 0 }
        let sizes = try names.map { try size("\(path)/\($0)") }
        var random = SplitMix64(state: 15), blocks: Set<String> = [], changed = 0
        for _ in 0..<1000 {
            let file = Int.random(in: 0..<names.count, using: &random)
            let byte = Int.random(in: 0..<sizes[file], using: &random)
            try flip(byte * 8 + Int.random(in: 0..<8, using: &random), of: "\(path)/\(names[file])")
            let start = byte / Self.row * Self.row
            if blocks.insert("\(names[file]) \(start)").inserted { changed += min(Self.row, sizes[file] - start) }
        }
        let first = try update(target, from: cluster)
        try expectEqual(path, cluster)
        // pg_control and backup_label come in any case, and the checkpoint may have changed something.
        let rest = 200_000
        let sent = Int(first.bytes - first.keptBytes)
        #expect(sent >= changed && sent <= changed + changed / 20 + rest, "\(sent) bytes for \(changed)")
        let large = try cluster.sql("SELECT pg_relation_filepath('large')"), copied = "\(path)/\(large)"
        for percent in [0, 1, 10, 50] {
            let all = Array(stride(from: 0, to: try size(copied) - Self.row, by: Self.row))
            let some = all.shuffled(using: &random).prefix((all.count * percent + 99) / 100)
            for start in some { try flip(start * 8 + 1, of: copied) }
            let result = try update(target, from: cluster)
            let changed = some.count * Self.row, sent = Int(result.bytes - result.keptBytes)
            #expect(sent >= changed && sent <= changed + changed / 20 + rest, "\(percent) %: \(sent) for \(changed)")
        }
        try expectEqual(path, cluster)
        // The same damage on both sides: no byte comes, and it is found in those that are here.
        for directory in [path, cluster.directory] { try flip(8192 * 8 * 3 + 8000, of: "\(directory)/\(large)") }
        let error = #expect(throws: UnderstudyError.self) { try update(target, from: cluster) }
        #expect(error?.code == .damagedPages && error?.detail?.contains("(page 3)") == true, "\(error as Any)")
    }

    @Test func `files that are cut, longer, gone or something else are files again`() throws {
        let (cluster, path, target) = try makeCopy(.newest)
        let names = try files(path).sorted().filter { try size("\(path)/\($0)") > 8192 }
        let large = try cluster.sql("SELECT pg_relation_filepath('large')")
        #expect(unsafe truncate("\(path)/\(large)", 1_000_000) == 0)
        #expect(unsafe truncate("\(path)/\(names[3])", 40_000_000) == 0)
        #expect(unsafe unlink("\(path)/\(names[5])") == 0)
        #expect(unsafe unlink("\(path)/\(names[7])") == 0)
        #expect(unsafe symlink("\(cluster.directory)/\(names[7])", "\(path)/\(names[7])") == 0)
        #expect(unsafe unlink("\(path)/\(names[9])") == 0)
        try TestDirectory.make(at: "\(path)/\(names[9])")
        try FileManager.default.removeItem(atPath: "\(path)/pg_multixact")
        try FileManager.default.removeItem(atPath: "\(path)/global")
        try FileManager.default.removeItem(atPath: "\(path)/PG_VERSION")
        try cluster.sql("CREATE TABLE later AS SELECT 1; DELETE FROM large WHERE i % 5000 = 0; CHECKPOINT")
        let result = try update(target, from: cluster)
        try expectEqual(path, cluster)
        #expect(result.keptBytes > result.bytes / 4 && result.keptBytes < result.bytes)
        let copy = try Cluster(copy: path, of: cluster)
        try copy.append(
            ["restore_command = 'cp \(cluster.directory)/pg_wal/%f %p'"], to: "postgresql.conf")
        try TestDirectory.write("", to: "\(path)/recovery.signal")
        try copy.start()
        #expect(try cluster.differences(from: copy) == [])
    }
}
