import Foundation
import Testing

/// A recorded base backup: what the server sent, taken out of its messages, and what it must decode to.
struct Transcript {
    static let versions = [
        "9.3", "9.4", "9.5", "9.6", "10", "11", "12", "13", "14", "15", "16", "17", "18", "19",
    ]
    /// Servers from 13 send a manifest.
    static let versionsWithManifest = Array(versions.drop { $0 != "13" })

    struct Facts: Decodable {
        struct Archive: Decodable {
            var oid: Int?
            var bytes: Int
            var sha256: String
            var zeroTrailerBytes: Int

            enum CodingKeys: String, CodingKey {
                case oid, bytes, sha256
                case zeroTrailerBytes = "zero_trailer_bytes"
            }
        }

        struct File: Decodable {
            var archive: ArchiveName
            var path: String
            var type: String
            var mode: String
            var size: Int?
            var sha256: String?
            var target: String?
        }

        /// A tablespace's number, or `base`.
        enum ArchiveName: Decodable, Equatable {
            case base
            case tablespace(Int)

            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                if let oid = try? container.decode(Int.self) {
                    self = .tablespace(oid)
                } else {
                    self = .base
                }
            }
        }

        struct Manifest: Decodable {
            var bytes: Int
            var sha256: String
        }

        var archives: [Archive]
        var files: [File]
        var manifest: Manifest?
    }

    var facts: Facts
    var systemIdentifier: String
    /// The tar archives, in the order sent.
    var archives: [[UInt8]]
    var manifest: [UInt8]?

    init(version: String) throws {
        struct Meta: Decodable {
            var backups: [String: Facts]
            var system_identifier: String
        }
        let folder = Self.folder.appending(path: version)
        let meta = try JSONDecoder().decode(Meta.self, from: Data(contentsOf: folder.appending(path: "meta.json")))
        facts = try #require(meta.backups["20-base-backup"])
        systemIdentifier = meta.system_identifier

        let messages = Self.messages(try Self.gunzip(folder.appending(path: "20-base-backup.response.gz")))
        var streams = Self.versionHasOneCopy(version) ? Self.oneCopy(messages) : Self.manyCopies(messages)
        manifest = streams.count > facts.archives.count ? streams.removeLast() : nil
        archives = streams
    }

    private static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "fixtures/transcripts")

    private static func versionHasOneCopy(_ version: String) -> Bool {
        (Double(version) ?? 0) >= 15
    }

    private static func gunzip(_ file: URL) throws -> [UInt8] {
        // Not by Foundation's Process: it leaks, which LeakSanitizer would report.
        guard let pipe = unsafe popen("gzip -dc '\(file.path)'", "r") else { throw CocoaError(.fileReadUnknown) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        // The stream is open until `pclose`, and the buffer is as long as is said.
        while case let count = unsafe fread(&buffer, 1, buffer.count, pipe), count > 0 {
            bytes += buffer[..<count]
        }
        guard unsafe pclose(pipe) == 0 else { throw CocoaError(.fileReadCorruptFile) }
        return bytes
    }

    private static func messages(_ bytes: [UInt8]) -> [(type: UInt8, body: ArraySlice<UInt8>)] {
        var messages: [(type: UInt8, body: ArraySlice<UInt8>)] = []
        var start = 0
        while start < bytes.count {
            let length = bytes[start + 1..<start + 5].reduce(0) { $0 << 8 | Int($1) }
            messages.append((bytes[start], bytes[start + 5..<start + 1 + length]))
            start += 1 + length
        }
        return messages
    }

    /// Before 15: a CopyOutResponse, 'H', begins each stream.
    private static func manyCopies(_ messages: [(type: UInt8, body: ArraySlice<UInt8>)]) -> [[UInt8]] {
        var streams: [[UInt8]] = []
        for (type, body) in messages {
            switch type {
            case UInt8(ascii: "H"): streams.append([])
            case UInt8(ascii: "d"): streams[streams.count - 1] += body
            default: break
            }
        }
        return streams
    }

    /// From 15: the first byte of each CopyData says what it is.
    private static func oneCopy(_ messages: [(type: UInt8, body: ArraySlice<UInt8>)]) -> [[UInt8]] {
        var streams: [[UInt8]] = []
        for (type, body) in messages where type == UInt8(ascii: "d") {
            switch body.first {
            case UInt8(ascii: "n"), UInt8(ascii: "m"): streams.append([])
            case UInt8(ascii: "d"): streams[streams.count - 1] += body.dropFirst()
            default: break
            }
        }
        return streams
    }
}
