import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// What the stock tool does not do, and the library.
@Suite(.disabled(if: isStock)) struct VerifybackupTests {
    private let cluster: Cluster
    private let place: String

    init() throws {
        cluster = try Cluster(.newest)
        place = try TestDirectory.make("verify", mode: 0o755)
    }

    private func run(_ words: String...) throws -> ProgramResult {
        try UnderstudyProgram.run(["verifybackup"] + words, environment: UnderstudyProgram.environment)
    }

    @Test(arguments: [[], ["-Z", "gzip"], ["-Z", "lz4"], ["-Z", "zstd"], ["-X", "fetch"]])
    func `archives are verified with their WAL`(options: [String]) throws {
        let backup = "\(place)/tar"
        let made = try basebackup(cluster, to: backup, ["-F", "t"] + options)
        try #require(made.status == 0, "\(made)")
        let sound = try run(backup)
        #expect(sound.status == 0 && sound.output == "backup successfully verified\n", "\(sound)")

        let isFetched = options.contains("fetch")
        let name = try #require(
            FileTree.names(backup).first { $0.hasPrefix(isFetched ? "base.tar" : "pg_wal.tar") })
        if isFetched {
            // A byte of the last segment's first record: the archive has nothing behind the WAL but pg_control.
            var bytes = try FileTree.bytes("\(backup)/\(name)")
            let header = try #require(
                Array(stride(from: 0, to: bytes.count, by: 512)).last { offset in
                    bytes[offset...].starts(with: Array("pg_wal/0000".utf8)) && bytes[offset + 156] == UInt8(ascii: "0")
                })
            bytes[header + 512 + 44] ^= 1
            try FileTree.overwrite("\(backup)/\(name)", bytes)
        } else {
            try FileManager.default.removeItem(atPath: "\(backup)/\(name)")
        }
        let result = try run(backup)
        #expect(result.status == 1 && result.errorOutput.contains("WAL parsing failed for timeline 1"), "\(result)")
        #expect(try run("-n", backup).status == 0)
    }

    @Test func `damaged archives`() throws {
        let backup = "\(place)/tar", archive = "\(backup)/base.tar.gz"
        try #require(try basebackup(cluster, to: backup, ["-F", "t", "-Z", "gzip"]).status == 0)
        let bytes = try FileTree.bytes(archive)
        let damages: [(bytes: [UInt8], words: String)] = [
            (bytes + [1, 2, 3], "could not decompress gzip data"),
            (Array(bytes.dropLast(1000)), "COPY stream ended before last file was finished"),
            (Array("no archive at all".utf8), "could not decompress gzip data"),
        ]
        for damage in damages {
            try FileTree.overwrite(archive, damage.bytes)
            let result = try run("-n", backup)
            #expect(result.status == 1 && result.errorOutput.contains(damage.words), "\(result)")
        }
        // Two frames one after the other are one archive, as for gzip(1).
        try FileTree.overwrite(archive, bytes)
        try Program.check(
            "/bin/bash",
            [
                "-c",
                "cd \(backup); zcat base.tar.gz >t; (head -c 9999 t | gzip; tail -c +10000 t | gzip) >base.tar.gz; rm t",
            ],
            asCaller: true)
        #expect(try run(backup).status == 0)
        try TestDirectory.write("x", to: "\(backup)/other", mode: 0o644)
        let extra = try run(backup)
        #expect(extra.errorOutput.contains("file \"other\" is not expected in a tar format backup"), "\(extra)")
    }

    @Test func `findings are values, and objects for programs`() async throws {
        let backup = "\(place)/plain"
        try #require(try basebackup(cluster, to: backup, []).status == 0)
        try FileTree.overwrite("\(backup)/PG_VERSION", Array("99\n".utf8))
        try FileManager.default.removeItem(atPath: "\(backup)/base/1/PG_VERSION")
        try TestDirectory.write("x", to: "\(backup)/pgsql_tmp.understudy", mode: 0o644)

        let told = Locked<[BackupFinding]>([]), last = Locked<BackupVerification.Progress?>(nil)
        let report = try await BackupVerification(of: backup).run(
            found: { finding in told.withLock { $0.append(finding) } },
            progress: { seen in last.withLock { $0 = seen } })
        #expect(Set(report.findings.map(\.kind)) == [.checksum, .missing, .extra])
        #expect(told.withLock { $0 } == report.findings && !report.isSound)
        #expect(report.findings.first { $0.kind == .extra }?.detail?.contains("has not ended") == true)
        #expect(report.manifestVersion == 2 && report.fileCount > 900 && report.walRecordCount > 0)
        #expect(
            last.withLock { $0.map { $0.bytesDone == $0.bytesTotal && $0.bytesTotal == report.bytesVerified } } == true)

        let result = try run("--json", backup)
        let object = try #require(result.output.split(separator: "\n").last)
        #expect(result.status == 1 && object.contains("\"sound\":false"), "\(result)")
        #expect(object.contains("\"path\":\"base/1/PG_VERSION\""), "\(result)")
        #expect(try run("-q", "-e", backup).errorOutput.split(separator: "\n").count { $0.contains("error:") } == 1)
    }

    @Test func `WAL is found where it is said to be`() throws {
        let backup = "\(place)/plain"
        try #require(try basebackup(cluster, to: backup, []).status == 0)
        try FileManager.default.moveItem(atPath: "\(backup)/pg_wal", toPath: "\(place)/wal")
        #expect(try run(backup).status == 1)
        #expect(try run("-w", "\(place)/wal", backup).status == 0)
        #expect(try run("--wal-path=\(place)/wal", backup).status == 0)
        try Program.check("/bin/bash", ["-c", "gzip \(place)/wal/0*"], asCaller: true)
        #expect(try run("-w", "\(place)/wal", backup).status == 0)
    }
}
