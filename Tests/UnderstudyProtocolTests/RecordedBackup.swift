import Foundation
import Testing
import UnderstudyProtocol

/// What a recorded server was asked for, and the rows that it answered with.
struct RecordedBackup {
    static let versions = [
        "9.3", "9.4", "9.5", "9.6", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19",
    ]

    struct Facts: Decodable {
        struct Tablespace: Decodable {
            var oid: UInt32?
            var path: String?
            var size_kb: UInt64?
        }

        struct Backup: Decodable {
            var start_lsn: String
            var stop_lsn: String
            var start_timeline: UInt32
            var stop_timeline: UInt32
            var tablespaces: [Tablespace]
        }

        var server_version_num: Int
        var backups: [String: Backup]
    }

    let version: ServerVersion
    let query: String
    let facts: Facts.Backup
    /// Start position, list of tablespaces, end position.
    let rows: [ResultSet]

    init(version: String) throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "fixtures/transcripts/\(version)")
        let meta = try JSONDecoder().decode(Facts.self, from: Data(contentsOf: folder.appending(path: "meta.json")))
        self.version = ServerVersion(number: meta.server_version_num)
        facts = try #require(meta.backups["20-base-backup"])
        query = try String(contentsOf: folder.appending(path: "20-base-backup.query"), encoding: .utf8)
        rows = try Self.rows(Self.gunzip(folder.appending(path: "20-base-backup.response.gz")))
    }

    private static func gunzip(_ file: URL) throws -> [UInt8] {
        let gzip = Process()
        let pipe = Pipe()
        gzip.executableURL = URL(filePath: "/usr/bin/env")
        gzip.arguments = ["gzip", "-dc", file.path]
        gzip.standardOutput = pipe
        try gzip.run()
        let data = try pipe.fileHandleForReading.readToEnd()
        gzip.waitUntilExit()
        try #require(gzip.terminationStatus == 0, "gzip could not read \(file.path)")
        return [UInt8](data ?? Data())
    }

    /// RowDescription, 'T', and DataRow, 'D', as the manual's "Message Formats" has them.
    private static func rows(_ bytes: [UInt8]) -> [ResultSet] {
        var sets: [ResultSet] = []
        var start = 0
        func integer(_ at: Int, _ length: Int) -> Int { bytes[at..<at + length].reduce(0) { $0 << 8 | Int($1) } }
        while start < bytes.count {
            var place = start + 7
            switch bytes[start] {
            case UInt8(ascii: "T"):
                var columns: [String] = []
                for _ in 0..<integer(start + 5, 2) {
                    let name = bytes[place...].prefix { $0 != 0 }
                    columns.append(String(decoding: name, as: UTF8.self))
                    place += name.count + 19
                }
                sets.append(ResultSet(columns: columns, rows: []))
            case UInt8(ascii: "D"):
                var row: [String?] = []
                for _ in 0..<integer(start + 5, 2) {
                    let length = integer(place, 4)
                    place += 4
                    guard length != 0xFFFF_FFFF else {
                        row.append(nil)
                        continue
                    }
                    row.append(String(decoding: bytes[place..<place + length], as: UTF8.self))
                    place += length
                }
                sets[sets.count - 1].rows.append(row)
            default: break
            }
            start += 1 + integer(start + 1, 4)
        }
        return sets
    }
}
