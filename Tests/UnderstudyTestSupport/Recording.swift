package import Foundation

/// What one version's server sent, byte for byte, and what that must decode to: `fixtures/transcripts`.
package struct Recording: Sendable {
    package static let versions = [
        "9.3", "9.4", "9.5", "9.6", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19",
    ]
    /// Servers from 13 send a manifest.
    package static let versionsWithManifest = Array(versions.drop { $0 != "13" })

    package let version: String
    package let meta: Meta
    private let folder: URL

    package init(_ version: String) throws {
        self.version = version
        folder = Self.folder.appending(path: version)
        let file = folder.appending(path: "meta.json")
        meta = try Self.read.withLock { read in
            if let meta = read[version] { return meta }
            let meta = try JSONDecoder().decode(Meta.self, from: Data(contentsOf: file))
            read[version] = meta
            return meta
        }
    }

    /// What was read, by version.
    private static let read = Locked<[String: Meta]>([:])

    /// The folder `fixtures` at the top of the repository.
    package static let fixtures = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "fixtures")
    private static let folder = fixtures.appending(path: "transcripts")

    /// The versions that have a session of this name.
    package static func versions(with session: String) -> [String] {
        versions.filter { version in
            FileManager.default.fileExists(
                atPath: folder.appending(path: "\(version)/\(session).response.gz").path)
        }
    }

    package var major: Int { meta.server_version_num / 10000 }
    package var hasManifest: Bool { major >= 13 }

    // MARK: - Bytes

    /// What the client sent.
    package func query(_ session: String) throws -> String {
        try String(contentsOf: folder.appending(path: "\(session).query"), encoding: .utf8)
    }

    /// What the server answered, from its first byte on.
    package func response(_ session: String) throws -> [UInt8] {
        try Program.filter("gzip -dc", folder.appending(path: "\(session).response.gz").path)
    }

    /// The answer as messages: the type, and what follows the length.
    package func messages(_ session: String) throws -> [(type: Character, body: ArraySlice<UInt8>)] {
        let bytes = try response(session)
        var messages: [(type: Character, body: ArraySlice<UInt8>)] = []
        var start = 0
        while start < bytes.count {
            let end = start + 1 + bytes[start + 1..<start + 5].reduce(0) { $0 << 8 | Int($1) }
            messages.append((Character(Unicode.Scalar(bytes[start])), bytes[start + 5..<end]))
            start = end
        }
        return messages
    }

    /// The contents of the CopyData messages.
    package func copyData(_ session: String) throws -> [ArraySlice<UInt8>] {
        try messages(session).filter { $0.type == "d" }.map(\.body)
    }

    /// The archives of a base backup in the order sent, and the manifest as the last one where there is one. What the
    /// server compressed is compressed here.
    package func streams(_ session: String) throws -> [[UInt8]] {
        var streams: [[UInt8]] = []
        if major >= 15 {
            // The first byte of each CopyData says what it is.
            for data in try copyData(session) {
                switch data.first {
                case UInt8(ascii: "n"), UInt8(ascii: "m"): streams.append([])
                case UInt8(ascii: "d"): streams[streams.count - 1] += data.dropFirst()
                default: break
                }
            }
        } else {
            // A CopyOutResponse begins each stream.
            for (type, body) in try messages(session) {
                switch type {
                case "H": streams.append([])
                case "d": streams[streams.count - 1] += body
                default: break
                }
            }
        }
        return streams
    }

    /// The WAL of a recorded stream: what stands in its messages behind their headers.
    package func wal(_ session: String) throws -> [UInt8] {
        try copyData(session).filter { $0.first == UInt8(ascii: "w") }.flatMap { $0.dropFirst(25) }
    }

    /// The answer to a START_REPLICATION that was recorded with another one: its WAL begins where this command says.
    ///
    /// - Parameter limit: How many bytes of WAL are left in; nil for all.
    private func stream(_ session: String, for command: String, atMost limit: Int?) throws -> [UInt8] {
        var bytes = try limited(session, to: limit ?? .max)
        guard let text = command.split(separator: " ").first(where: { $0.contains("/") }),
            case let halves = text.split(separator: "/").compactMap({ UInt64($0, radix: 16) }), halves.count == 2
        else { throw SupportError("no position in \(command)") }
        var position = halves[0] << 32 | halves[1]
        var start = 0
        while start < bytes.count {
            let end = start + 1 + bytes[start + 1..<start + 5].reduce(0) { $0 << 8 | Int($1) }
            if bytes[start] == UInt8(ascii: "d"), bytes[start + 5] == UInt8(ascii: "w") {
                for byte in 0..<8 {
                    bytes[start + 6 + byte] = UInt8(truncatingIfNeeded: position >> UInt64(56 - 8 * byte))
                }
                position += UInt64(end - start - 30)
            }
            start = end
        }
        return bytes
    }

    // MARK: - A server

    /// An answer for a scripted server.
    package func answer(_ session: String) throws -> ScriptedServer.Answer {
        guard let facts = meta.transcripts.first(where: { $0.name == session }) else {
            throw SupportError("\(version) has no session \(session)")
        }
        // A server that ends the copy sends its CopyDone (5 bytes) before it waits for ours.
        let hold = facts.server_copydone_at.map { facts.copy_ended_by == "server" ? $0 + 5 : $0 }
        return ScriptedServer.Answer(
            try response(session), holdsFrom: hold, endsConnection: facts.end == "eof")
    }

    /// A server that answers as recorded.
    ///
    /// - Parameters:
    ///   - sessions: The session that answers commands which begin so, where it is not the usual one.
    ///   - synchronousStandbyNames: What SHOW tells of that setting, which was not recorded.
    ///   - walBytes: How many bytes of WAL the server has; nil for all that was recorded.
    package func serve(
        startup: String = "01-startup", _ sessions: [String: String] = [:], synchronousStandbyNames: String = "",
        walBytes: Int? = nil
    ) throws -> ScriptedServer {
        let recording = self
        return try ScriptedServer(startup: answer(startup)) { command in
            let usual = [
                "IDENTIFY_SYSTEM": "02-identify-system", "SHOW wal_segment_size": "03-show-wal-segment-size",
                "SHOW data_directory_mode": "04-show-data-directory-mode", "SHOW wal_level": "16-show-wal-level",
                "CREATE_REPLICATION_SLOT": "05-create-slot-temporary", "BASE_BACKUP": "20-base-backup",
                "START_REPLICATION": "31-start-replication", "READ_REPLICATION_SLOT": "09-read-slot-permanent",
            ]
            if command == "SHOW synchronous_standby_names" { return .rows([synchronousStandbyNames]) }
            if command.hasPrefix("CREATE_REPLICATION_SLOT"), recording.major < 10 {
                return .rows(["s", "0/0", nil, nil])
            }
            guard let found = usual.keys.first(where: { command.hasPrefix($0) }) else {
                throw SupportError("nothing is recorded for \(command)")
            }
            let session = sessions[found] ?? usual[found]!
            var answer = try recording.answer(session)
            // Where the session of the backup is another than that of the stream, so is the position.
            if found == "START_REPLICATION" {
                answer.bytes = try recording.stream(session, for: command, atMost: walBytes)
                // What stands behind the WAL that was left out comes that much earlier.
                if walBytes != nil { answer.holdsFrom = nil }
            }
            return answer
        }
    }
}

extension Recording {
    /// `meta.json`.
    package struct Meta: Decodable, Sendable {
        /// From 11 on.
        package var data_directory_mode: String?
        package var server_version_num: Int
        package var system_identifier: String
        package var segment_size: Int
        package var tablespace: Tablespace
        package var transcripts: [Session]
        package var backups: [String: Backup]
        package var streams: [String: Stream]
        package var promoted: Promoted
    }

    /// A standby that became a primary.
    package struct Promoted: Decodable, Sendable {
        package var timeline: UInt32
        package var switch_lsn: String
        package var history_file: String
        package var history_sha256: String
    }

    package struct Tablespace: Decodable, Sendable {
        package var path: String
    }

    package struct Session: Decodable, Sendable {
        package var name: String
        package var end: String
        package var server_copydone_at: Int?
        /// `client` or `server`: who said first that it has no more to send.
        package var copy_ended_by: String?
        package var errors: [ServerError]?
    }

    package struct ServerError: Decodable, Sendable {
        package var severity: String
        package var sqlstate: String
        package var message: String
    }

    package struct Stream: Decodable, Sendable {
        package struct Segment: Decodable, Sendable {
            package var name: String
            package var bytes: Int
            package var complete: Bool
            package var sha256: String
        }

        package var start_lsn: String
        package var end_lsn: String
        package var timeline: UInt32
        package var segments: [Segment]
    }

    package struct Backup: Decodable, Sendable {
        package struct Archive: Decodable, Sendable {
            /// Not part of the protocol before 15.
            package var name: String?
            package var oid: Int?
            package var bytes: Int
            package var sha256: String
            package var zero_trailer_bytes: Int
            package var stored_bytes: Int?
            package var stored_sha256: String?
        }

        package struct Manifest: Decodable, Sendable {
            package var bytes: Int
            package var sha256: String
        }

        package struct File: Decodable, Sendable {
            package var archive: ArchiveName
            package var path: String
            package var type: String
            package var mode: String
            package var size: UInt64?
            package var sha256: String?
            package var target: String?
        }

        package struct Announced: Decodable, Sendable {
            package var oid: UInt32?
            package var path: String?
            package var size_kb: UInt64?
        }

        package var start_lsn: String
        package var stop_lsn: String
        package var start_timeline: UInt32
        package var stop_timeline: UInt32
        package var tablespaces: [Announced]
        package var archives: [Archive]
        package var files: [File]
        package var manifest: Manifest?
    }

    /// A tablespace's number, or `base`.
    package enum ArchiveName: Decodable, Sendable, Equatable {
        case base
        case tablespace(Int)

        package init(oid: Int?) {
            self = oid.map { .tablespace($0) } ?? .base
        }

        package init(from decoder: any Decoder) throws {
            self.init(oid: try? decoder.singleValueContainer().decode(Int.self))
        }
    }
}

extension Program {
    /// The output of a program that reads a file, `gzip -dc` for example.
    package static func filter(_ command: String, _ file: String) throws -> [UInt8] {
        // Not by Foundation's Process: it leaks, which LeakSanitizer would report.
        // SAFETY: the stream is open until pclose, and the buffer has the size that is said.
        guard let pipe = unsafe popen("\(command) '\(file)'", "r") else {
            throw SupportError("could not run \(command)")
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = unsafe fread(&buffer, 1, buffer.count, pipe), count > 0 { bytes += buffer[..<count] }
        guard unsafe pclose(pipe) == 0 else { throw SupportError("\(command) could not read \(file)") }
        return bytes
    }
}
