import Foundation
import Glibc
import Testing
import Understudy
import UnderstudyTestSupport

/// Base backups from servers that cannot be installed here: what they sent, recorded, goes through the real libpq.
@Suite struct TranscriptTests {
    @Test(arguments: Recording.versions)
    func `a recorded server's backup arrives file by file, with its WAL and the settings of its version`(
        version: String
    ) async throws {
        let recording = try Recording(version)
        let server = try recording.serve()
        let target = TestDirectory.freshPath("backup"), space = TestDirectory.freshPath("space")
        var backup = BaseBackup(source: "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable")
        backup.options.checkpoint = .fast
        backup.options.writeRecoverySettings = true
        // Older servers have one connection for it, whatever was hoped for.
        if recording.meta.server_version_num < 90600 { backup.options.connections = .automatic }
        backup.options.tablespaceMappings = [.init(from: recording.meta.tablespace.path, to: space)]
        let result = try await backup.run(into: .directory(target))
        #expect(result.serverVersion == recording.meta.server_version_num)
        #expect((result.verifiedFiles != nil) == recording.hasManifest)

        let allowed = Int(recording.meta.data_directory_mode ?? "0700", radix: 8) ?? 0
        let files = try #require(recording.meta.backups["20-base-backup"]).files
        for file in files {
            let path = "\(file.archive == .base ? target : space)/\(file.path)"
            switch file.type {
            case "symlink": #expect(try FileTree.linkTarget(path) == space)
            case "dir": #expect(try FileTree.mode(path) == Int(file.mode, radix: 8)! & allowed, "\(path)")
            default:
                #expect(try FileTree.mode(path) == Int(file.mode, radix: 8)! & allowed & 0o666, "\(path)")
                // The settings of a standby are appended to this one.
                if file.path == settingsFile(recording) { continue }
                #expect(try Self.sha256(path) == file.sha256, "\(path)")
            }
        }
        try expectSettings(recording, target)
        try expectWAL(recording, target, upTo: result.endLSN)
        let made = FileTree.names(target).count
        #expect(made >= files.count { $0.archive == .base && !$0.path.contains("/") })
    }

    private func expectSettings(_ recording: Recording, _ target: String) throws {
        let isOld = recording.major < 12
        let text = try FileTree.text("\(target)/\(isOld ? "recovery.conf" : "postgresql.auto.conf")")
        #expect(text.contains("primary_conninfo = 'user=r host=127.0.0.1 port="))
        #expect(text.contains("standby_mode = 'on'") == isOld)
        #expect(FileTree.exists("\(target)/standby.signal") == !isOld)
        // As the stock tool, and no more.
        #expect(
            !text.contains("hot_standby") && !text.contains("recovery_target") && !text.contains("primary_slot_name"))
    }

    /// The bytes up to the end of the backup are the server's; what follows is either the server's too, or zero.
    private func expectWAL(_ recording: Recording, _ target: String, upTo end: LSN) throws {
        let stream = try #require(recording.meta.streams["31-start-replication"])
        let size = UInt64(recording.meta.segment_size)
        let directory = "\(target)/\(recording.major < 10 ? "pg_xlog" : "pg_wal")"
        var position = try #require(LSN(stream.start_lsn)).rawValue
        let recorded = try recording.wal("31-start-replication")
        for segment in stream.segments where position < end.rawValue {
            let bytes = [UInt8](try Data(contentsOf: URL(filePath: "\(directory)/\(segment.name)")))
            #expect(bytes.count == Int(size))
            let length = Int(min(size, end.rawValue - position))
            let start = Int(position - LSN(stream.start_lsn)!.rawValue)
            #expect(bytes[..<length] == recorded[start..<start + length], "\(segment.name)")
            position += size
        }
    }

    /// The file that settings of the server itself go to.
    private func settingsFile(_ recording: Recording) -> String {
        recording.meta.server_version_num < 90400 ? "postgresql.conf" : "postgresql.auto.conf"
    }

    private static func sha256(_ path: String) throws -> String {
        String(
            try Program.check("/usr/bin/sha256sum", [path], asCaller: true).output.split(separator: " ")[0].drop {
                $0 == "\\"
            })
    }
}
