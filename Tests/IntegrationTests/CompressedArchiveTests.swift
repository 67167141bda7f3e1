import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// Archives that are compressed here or on the server: `basebackup -Z`.
@Suite struct CompressedArchiveTests {
    private func expectWhole(_ archives: String, suffix: String, of cluster: Cluster) throws {
        let names = ["backup_manifest", "base.tar\(suffix)", "pg_wal.tar\(suffix)"]
        #expect(FileTree.names(archives) == names)
        let target = TestDirectory.freshPath("target")
        try extractArchive("\(archives)/\(names[1])", to: target)
        try extractArchive("\(archives)/\(names[2])", to: "\(target)/pg_wal")
        try Program.check("/bin/cp", ["\(archives)/backup_manifest", "\(target)/backup_manifest"])
        let verdict = try verify(target, of: cluster)
        #expect(verdict.status == 0, "\(verdict)")
    }

    @Test func `everybody reads what is compressed here`() throws {
        let cluster = try Cluster(.newest)
        let specifications = [
            ("gzip", ".gz"), ("1", ".gz"), ("lz4", ".lz4"), ("client-lz4:9", ".lz4"), ("zstd", ".zst"),
            ("zstd:-5", ".zst"), ("zstd:workers=0", ".zst"), ("zstd:level=2,workers=3", ".zst"),
            ("zstd:workers=1,long", ".zst"),
        ]
        for (specification, suffix) in specifications {
            let archives = TestDirectory.freshPath("archives")
            let result = try basebackup(cluster, to: archives, ["-F", "t", "-Z", specification])
            try #require(result.status == 0, "\(result)")
            try expectWhole(archives, suffix: suffix, of: cluster)
            guard cluster.installation.major >= 18 else { continue }
            let verdict = try verify(archives, of: cluster, ["-n"])
            #expect(verdict.status == 0, "\(specification): \(verdict)")
        }
    }

    @Test(arguments: PostgresInstallation.all.filter { $0.major >= 15 })
    func `what the server compresses is kept as archives, and unpacked in plain format`(
        installation: PostgresInstallation
    ) throws {
        let cluster = try Cluster(installation)
        let methods = [("gzip:1", ".gz"), ("lz4", ".lz4"), ("zstd:level=2,workers=2", ".zst")]
        for (method, suffix) in methods {
            let archives = TestDirectory.freshPath("archives"), plain = TestDirectory.freshPath("plain")
            let result = try basebackup(cluster, to: archives, ["-F", "t", "-Z", "server-\(method)"])
            try #require(result.status == 0, "\(result)")
            try expectWhole(archives, suffix: suffix, of: cluster)
            let other = try basebackup(cluster, to: plain, ["-Z", "server-\(method)"])
            try #require(other.status == 0, "\(other)")
            let verdict = try verify(plain, of: cluster)
            #expect(verdict.status == 0, "\(verdict)")
        }
    }

    @Test func `settings get into an archive that the server has compressed`() throws {
        let cluster = try Cluster(.newest)
        let archives = TestDirectory.freshPath("archives"), target = TestDirectory.freshPath("target")
        let result = try basebackup(cluster, to: archives, ["-F", "t", "-R", "-Z", "server-lz4"])
        try #require(result.status == 0, "\(result)")
        try extractArchive("\(archives)/base.tar.lz4", to: target)
        #expect(try FileTree.text("\(target)/postgresql.auto.conf").contains("port=\(cluster.port)"))
        #expect(FileTree.exists("\(target)/standby.signal"))
    }

    @Test(arguments: ["gzip", "zstd", "server-gzip"])
    func `standard output gets a compressed archive with all that belongs into it`(method: String) throws {
        let cluster = try Cluster(.newest)
        let archive = TestDirectory.freshPath("archive") + (method.hasSuffix("gzip") ? ".gz" : ".zst")
        let words = ["basebackup", "-d", cluster.connectionString(), "-D", "-", "-F", "t", "-c", "fast", "-Z", method]
        let result = try Program(
            "/bin/sh", ["-c", "exec \"$@\" > \(archive)", "sh", UnderstudyProgram.path] + words,
            environment: UnderstudyProgram.environment
        ).wait()
        try #require(result.status == 0, "\(result)")
        let target = TestDirectory.freshPath("target")
        try extractArchive(archive, to: target)
        let verdict = try verify(target, of: cluster)
        #expect(verdict.status == 0, "\(verdict)")
    }

    @Test func `a server before 15 cannot compress`() throws {
        guard let old = PostgresInstallation.all.first(where: { $0.major < 15 }) else { return }
        let cluster = try Cluster(old), target = TestDirectory.freshPath("target")
        let result = try basebackup(cluster, to: target, ["-Z", "server-gzip"])
        expectRefused(result, "server does not support server-side compression", "servers from 15 can do it")
        #expect(!FileTree.exists(target))
    }

    // MARK: - Servers that are played

    /// A server that compresses with a tool: sound, and then false in some way.
    private func played(_ suffix: String, _ change: (inout [UInt8]) -> Void = { _ in }) throws -> PlayedServer {
        var played = PlayedServer(.v16)
        try played.removeTablespace()
        played.archiveNames = [("base.tar.\(suffix)", "")]
        let plain = TestDirectory.freshPath("base.tar"), packed = "\(plain).\(suffix)"
        try Data(played.archives[0]).write(to: URL(fileURLWithPath: plain))
        try Program.check(
            "/bin/sh", ["-c", "\(compressionPrograms[suffix]!) -c -q '\(plain)' > '\(packed)'"], asCaller: true)
        played.archives[0] = [UInt8](try Data(contentsOf: URL(fileURLWithPath: packed)))
        change(&played.archives[0])
        return played
    }

    private func backup(_ server: ScriptedServer, _ suffix: String) -> BaseBackup {
        var backup = BaseBackup(source: "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable")
        backup.options.compression = .server(method: compressionPrograms[suffix]!)
        return backup
    }

    @Test(arguments: ["gz", "lz4", "zst"])
    func `an archive is kept byte for byte as the server sends it`(suffix: String) async throws {
        let played = try played(suffix), server = try played.serve()
        let target = TestDirectory.freshPath("archives")
        let result = try await backup(server, suffix).run(into: .tarFiles(target))
        #expect(result.verifiedFiles == 4)
        #expect(try FileTree.bytes("\(target)/base.tar.\(suffix)") == played.archives[0])
    }

    @Test(arguments: ["gz", "lz4", "zst"], [0, 1, 2, 3, 4])
    func `a stream that is cut off, damaged or longer than it should be leaves nothing`(
        suffix: String, flaw: Int
    ) async throws {
        let server = try played(suffix) { bytes in
            switch flaw {
            case 0: bytes.removeLast()
            case 1: bytes.removeLast(bytes.count / 2)
            case 2: bytes[bytes.count / 2] ^= 0x10
            case 3: bytes += bytes
            default: bytes = Array("no archive at all".utf8)
            }
        }.serve()
        for target in [BaseBackup.Target.directory, BaseBackup.Target.tarFiles] {
            let path = TestDirectory.freshPath("target")
            let error = await #expect(throws: UnderstudyError.self) {
                try await backup(server, suffix).run(into: target(path))
            }
            #expect(error?.code == .protocolViolation, "\(error as Any)")
            #expect(!FileTree.exists(path))
        }
    }

    @Test func `an archive of another method than the one that was asked for is refused`() async throws {
        let server = try played("gz").serve(), path = TestDirectory.freshPath("target")
        let error = await #expect(throws: UnderstudyError.self) {
            try await backup(server, "zst").run(into: .directory(path))
        }
        #expect(error?.message == #"server sent archive "base.tar.gz", expected one that ends in .tar.zst"#)
    }

    /// Deflate blocks in which there is nothing, without end: the copy brings no data.
    @Test func `compressed data with nothing in it is no progress`() async throws {
        var played = PlayedServer(.v16)
        try played.removeTablespace()
        var head = ServerBytes()
        head.rows(2, played.start)
        head.rows(3, played.tablespaces)
        head.copyOut()
        head.data([UInt8(ascii: "n")] + ServerBytes.string("base.tar.gz") + ServerBytes.string(""))
        head.data([UInt8(ascii: "d"), 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
        var blocks = ServerBytes()
        blocks.data([UInt8(ascii: "d")] + [[UInt8]](repeating: [0, 0, 0, 0xff, 0xff], count: 1000).flatMap { $0 })
        var answer = ScriptedServer.Answer(head.bytes, endsConnection: true)
        let bytes = blocks.bytes
        // Bounded, so that a client that goes on does not do so for ever.
        answer.pieces = { AnySequence(repeatElement(bytes, count: 1_000_000)) }
        played.answers["BASE_BACKUP"] = answer
        let server = try played.serve(), path = TestDirectory.freshPath("target")
        var backup = backup(server, "gz")
        backup.options.wal = .fetch
        backup.options.stallTimeout = .milliseconds(50)
        let error = await #expect(throws: UnderstudyError.self) { try await backup.run(into: .directory(path)) }
        #expect(error?.code == .connection, "\(error as Any)")
        #expect(error?.message.contains("has sent nothing of what it was asked for") == true, "\(error as Any)")
        #expect(!FileTree.exists(path))
    }
}
