import Foundation
import Glibc
import Testing
import Understudy
import UnderstudyTestSupport

/// Base backups from servers that cannot be installed here: what they sent, recorded, goes through the real libpq.
@Suite struct TranscriptTests {
    static let versions = [
        "9.3", "9.4", "9.5", "9.6", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19",
    ]

    @Test(arguments: versions)
    func `a recorded server's backup arrives file by file, with its WAL and the settings of its version`(
        version: String
    ) async throws {
        let recording = try Recording(version)
        let server = try recording.serve()
        let target = TestDirectory.freshPath("backup"), space = TestDirectory.freshPath("space")
        var backup = BaseBackup(source: "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable")
        backup.options.checkpoint = .fast
        backup.options.writeRecoverySettings = true
        backup.options.tablespaceMappings = [.init(from: recording.meta.tablespace.path, to: space)]
        let result = try await backup.run(into: .directory(target))
        #expect(result.serverVersion == recording.meta.server_version_num)
        #expect((result.verifiedFiles != nil) == recording.hasManifest)

        let files = try #require(recording.meta.backups["20-base-backup"]).files
        for file in files {
            let path = "\(file.archive.isBase ? target : space)/\(file.path)"
            switch file.type {
            case "symlink": #expect(try FileTree.linkTarget(path) == space)
            case "dir": #expect(try FileTree.mode(path) == Int(file.mode, radix: 8), "\(path)")
            default:
                #expect(try FileTree.mode(path) == Int(file.mode, radix: 8), "\(path)")
                // The settings of a standby are appended to this one.
                if file.path == recording.settingsFile { continue }
                #expect(try Self.sha256(path) == file.sha256, "\(path)")
            }
        }
        try expectSettings(recording, target)
        try expectWAL(recording, target, upTo: result.endLSN)
        let made = FileTree.names(target).count
        #expect(made >= files.count { $0.archive.isBase && !$0.path.contains("/") })
    }

    private func expectSettings(_ recording: Recording, _ target: String) throws {
        let isOld = recording.major < 12
        let text = try FileTree.text("\(target)/\(isOld ? "recovery.conf" : "postgresql.auto.conf")")
        #expect(text.contains("primary_conninfo = 'user=r host=127.0.0.1 port="))
        #expect(text.contains("standby_mode = 'on'") == isOld)
        #expect(FileTree.exists("\(target)/standby.signal") == !isOld)
        #expect(try FileTree.text("\(target)/\(recording.settingsFile)").contains("hot_standby = 'on'"))
    }

    /// The bytes up to the end of the backup are the server's; what follows is either the server's too, or zero.
    private func expectWAL(_ recording: Recording, _ target: String, upTo end: LSN) throws {
        let stream = try #require(recording.meta.streams["31-start-replication"])
        let size = UInt64(recording.meta.segment_size)
        let directory = "\(target)/\(recording.major < 10 ? "pg_xlog" : "pg_wal")"
        var position = try #require(LSN(stream.start_lsn)).rawValue
        let recorded = try recording.walBytes()
        for segment in stream.segments where position < end.rawValue {
            let bytes = [UInt8](try Data(contentsOf: URL(filePath: "\(directory)/\(segment.name)")))
            #expect(bytes.count == Int(size))
            let length = Int(min(size, end.rawValue - position))
            let start = Int(position - LSN(stream.start_lsn)!.rawValue)
            #expect(bytes[..<length] == recorded[start..<start + length], "\(segment.name)")
            position += size
        }
    }

    private static func sha256(_ path: String) throws -> String {
        String(
            try Program.check("/usr/bin/sha256sum", [path], asCaller: true).output.split(separator: " ")[0].drop {
                $0 == "\\"
            })
    }
}

/// One version's recorded sessions.
private struct Recording {
    struct Meta: Decodable {
        struct Backup: Decodable {
            var files: [File]
        }
        struct File: Decodable {
            var archive: Archive
            var path: String
            var type: String
            var mode: String
            var sha256: String?
        }
        /// `base`, or the number of a tablespace.
        struct Archive: Decodable {
            var isBase: Bool

            init(from decoder: any Decoder) throws {
                isBase = (try? decoder.singleValueContainer().decode(String.self)) == "base"
            }
        }
        struct Stream: Decodable {
            struct Segment: Decodable {
                var name: String
            }
            var start_lsn: String
            var segments: [Segment]
        }
        struct Session: Decodable {
            var name: String
            var server_copydone_at: Int?
        }
        struct Tablespace: Decodable {
            var path: String
        }
        var server_version_num: Int
        var segment_size: Int
        var tablespace: Tablespace
        var transcripts: [Session]
        var backups: [String: Backup]
        var streams: [String: Stream]
    }

    let meta: Meta
    let major: Int
    private let folder: URL

    init(_ version: String) throws {
        folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "fixtures/transcripts/\(version)")
        meta = try JSONDecoder().decode(Meta.self, from: Data(contentsOf: folder.appending(path: "meta.json")))
        major = try #require(Int(version.prefix { $0.isNumber }))
    }

    var hasManifest: Bool { major >= 13 }
    /// The file that settings of the server itself go to.
    var settingsFile: String { meta.server_version_num < 90400 ? "postgresql.conf" : "postgresql.auto.conf" }

    func serve() throws -> ScriptedServer {
        let recording = self
        return try ScriptedServer(startup: answer("01-startup")) { try recording.answer(recording.name(of: $0)) }
    }

    private func name(of command: String) throws -> String {
        let names = [
            "IDENTIFY_SYSTEM": "02-identify-system", "SHOW wal_segment_size": "03-show-wal-segment-size",
            "SHOW data_directory_mode": "04-show-data-directory-mode", "SHOW wal_level": "16-show-wal-level",
            "CREATE_REPLICATION_SLOT": "05-create-slot-temporary", "BASE_BACKUP": "20-base-backup",
            "START_REPLICATION": "31-start-replication",
        ]
        guard let found = names.first(where: { command.hasPrefix($0.key) }) else {
            throw SupportError("nothing is recorded for \(command)")
        }
        return found.value
    }

    private func answer(_ name: String) throws -> ScriptedServer.Answer {
        let session = meta.transcripts.first { $0.name == name }
        return ScriptedServer.Answer(try response(name), holdsFrom: session?.server_copydone_at)
    }

    private func response(_ name: String) throws -> [UInt8] {
        // SAFETY: the stream is open until pclose, and the buffer has the size that is said.
        guard let pipe = unsafe popen("gzip -dc '\(folder.path)/\(name).response.gz'", "r") else {
            throw SupportError("could not run gzip")
        }
        defer { unsafe pclose(pipe) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = unsafe fread(&buffer, 1, buffer.count, pipe), count > 0 { bytes += buffer[..<count] }
        return bytes
    }

    /// The WAL of the recorded stream: what stands in its messages behind their headers.
    func walBytes() throws -> [UInt8] {
        let bytes = try response("31-start-replication")
        var wal: [UInt8] = []
        var start = 0
        while start < bytes.count {
            let end = start + 1 + bytes[start + 1..<start + 5].reduce(0) { $0 << 8 | Int($1) }
            if bytes[start] == UInt8(ascii: "d"), bytes[start + 5] == UInt8(ascii: "w") {
                wal += bytes[start + 30..<end]
            }
            start = end
        }
        return wal
    }
}
