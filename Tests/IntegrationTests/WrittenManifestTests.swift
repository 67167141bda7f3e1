import Foundation
import Testing
import UnderstudyBackupFormat
import UnderstudyTestSupport

/// Manifests that are written here, judged by the stock tools.
@Suite(.disabled(if: isStock)) struct WrittenManifestTests {
    private struct Entries: ManifestSink {
        typealias Failure = BackupFormatError

        var files: [ManifestFile] = []
        var ranges: [ManifestWALRange] = []

        mutating func file(_ file: ManifestFile) { files.append(file) }
        mutating func walRange(_ range: ManifestWALRange) { ranges.append(range) }
    }

    /// Replaces a backup's manifest by one that is written here, of the same entries in another order.
    private func rewrite(_ backup: String) throws {
        let path = "\(backup)/backup_manifest"
        let old = try FileTree.bytes(path)
        let (entries, identifier) = try read(old)
        let new = try write(entries, identifier)
        try TestDirectory.write(String(decoding: new, as: UTF8.self), to: path)
    }

    private func read(_ manifest: [UInt8]) throws(BackupFormatError) -> (entries: Entries, identifier: UInt64?) {
        var reader = try ManifestReader()
        var entries = Entries()
        try reader.consume(manifest.rawSpan, into: &entries)
        try reader.finish()
        return (entries, reader.systemIdentifier)
    }

    private func write(_ entries: Entries, _ identifier: UInt64?) throws(BackupFormatError) -> [UInt8] {
        var writer = try ManifestWriter(systemIdentifier: identifier)
        var bytes: [UInt8] = []
        func take(_ piece: RawSpan) throws(BackupFormatError) {
            // The buffer is read only while the closure runs.
            unsafe piece.withUnsafeBytes { unsafe bytes += $0 }
        }
        for (index, file) in entries.files.reversed().enumerated() {
            try writer.add(
                file, modified: Int64(index) * 1_000_000, encodesPath: index.isMultiple(of: 3), to: take)
        }
        try writer.finish(entries.ranges, failure: { $0 }, to: take)
        return bytes
    }

    @Test(arguments: PostgresInstallation.outermost)
    func `the stock tool accepts one, and finds a changed byte by it`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        let isIncremental = installation.major >= 17
        if isIncremental { try cluster.sql("ALTER SYSTEM SET summarize_wal = on") }
        try cluster.sql("SELECT pg_reload_conf()")
        let program = cluster.installation.program("pg_basebackup")
        let target = TestDirectory.freshPath("target"), words = ["-d", cluster.connectionString(), "-c", "fast"]
        let algorithm = isIncremental ? "SHA256" : "CRC32C"
        try Program.check(program, words + ["-D", target, "--manifest-checksums=\(algorithm)"])
        try rewrite(target)
        let sound = try verify(target, of: cluster)
        #expect(sound.status == 0, "\(sound)")
        if isIncremental {
            // The server reads it, too.
            let increment = TestDirectory.freshPath("increment")
            try Program.check(program, words + ["-D", increment, "-i", "\(target)/backup_manifest"])
            #expect(FileTree.snapshot(increment).contains { $0.contains("INCREMENTAL.") })
        }
        let file = try #require(FileHandle(forUpdatingAtPath: "\(target)/base/1/PG_VERSION"))
        try file.write(contentsOf: Data("9".utf8))
        try file.close()
        let damaged = try verify(target, of: cluster)
        #expect(damaged.status == 1 && damaged.errorOutput.contains("checksum mismatch for file \"base/1/PG_VERSION\""))
    }
}
