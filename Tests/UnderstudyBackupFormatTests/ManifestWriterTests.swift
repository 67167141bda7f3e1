import Foundation
import Testing
import UnderstudyBackupFormat
import UnderstudyTestSupport

@Suite struct ManifestWriterTests {
    /// What is written, and the sizes of its pieces.
    private func write(
        _ files: [(file: ManifestFile, modified: Int64)], _ ranges: [ManifestWALRange], identifier: UInt64?,
        encodesPath: Bool = false
    ) throws -> (bytes: [UInt8], pieces: [Int]) {
        var writer = try ManifestWriter(systemIdentifier: identifier)
        var bytes: [UInt8] = [], pieces: [Int] = []
        func take(_ piece: RawSpan) throws(BackupFormatError) {
            // The buffer is read only while the closure runs.
            unsafe piece.withUnsafeBytes { unsafe bytes += $0 }
            pieces.append(piece.byteCount)
        }
        for file in files {
            try writer.add(file.file, modified: file.modified, encodesPath: encodesPath, to: take)
        }
        try writer.finish(ranges, failure: { $0 }, to: take)
        return (bytes, pieces)
    }

    private static let range = ManifestWALRange(timeline: 3, start: "0/3000028", end: "0/3000100")

    @Test func `the text is the format's`() throws {
        let files: [(ManifestFile, Int64)] = [
            (
                ManifestFile(
                    path: try MemberPath("backup_label"), size: 210,
                    checksum: FileChecksum(.crc32c, [0xBB, 0xC1, 0xBD, 8])), 1_795_885_200
            ),
            (ManifestFile(path: try MemberPath([0x62, 0xFF]), size: 0, checksum: nil), 0),
            (
                ManifestFile(
                    path: try MemberPath("a\"b\\/\u{8}\u{C}\n\r\t\u{1}\u{1F}\u{7F}ï😀"), size: UInt64(Int64.max),
                    checksum: nil), -1
            ),
        ]
        let text = String(
            decoding: try write(
                files, [Self.range, ManifestWALRange(timeline: 4, start: "0/3000100", end: "0/4000000")],
                identifier: .max
            ).bytes, as: UTF8.self)
        let head = #"""
            { "PostgreSQL-Backup-Manifest-Version": 2,
            "System-Identifier": 18446744073709551615,
            "Files": [
            { "Path": "backup_label", "Size": 210, "Last-Modified": "2026-11-28 17:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "bbc1bd08" },
            { "Encoded-Path": "62ff", "Size": 0, "Last-Modified": "1970-01-01 00:00:00 GMT" },
            { "Path": "a\"b\\/\b\f\n\r\t\u0001\u001fDELï😀", "Size": 9223372036854775807, "Last-Modified": "1969-12-31 23:59:59 GMT" }
            ],
            "WAL-Ranges": [
            { "Timeline": 3, "Start-LSN": "0/3000028", "End-LSN": "0/3000100" },
            { "Timeline": 4, "Start-LSN": "0/3000100", "End-LSN": "0/4000000" }
            ],

            """#.replacing("DEL", with: "\u{7F}")
        #expect(text == String(decoding: try ManifestRecorder.sealed(head), as: UTF8.self))
    }

    @Test func `version 1 has no system identifier, and a path may be encoded by request`() throws {
        let file = ManifestFile(path: try MemberPath("a/b"), size: 1, checksum: nil)
        let bytes = try write([(file, 0)], [Self.range], identifier: nil, encodesPath: true).bytes
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(
            text.hasPrefix(
                "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n{ \"Encoded-Path\": \"612f62\", "))
        let read = try ManifestRecorder.read(bytes)
        #expect(read.files == [file] && read.version == 1 && read.systemIdentifier == nil)
    }

    @Test func `a manifest without files can be read`() throws {
        let read = try ManifestRecorder.read(try write([], [Self.range], identifier: 7).bytes)
        #expect(read.files.isEmpty && read.ranges == [Self.range] && read.systemIdentifier == 7)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `what is written is read again`(seed: UInt64) throws {
        var generator = SplitMix64(state: seed)
        var files: [(file: ManifestFile, modified: Int64)] = []
        for _ in 0..<Int.random(in: 0...300, using: &generator) {
            let length = Int.random(in: 1...60, using: &generator)
            let name = (0..<length).map { _ in
                UInt8.random(in: Bool.random(using: &generator) ? 1...255 : 32...126, using: &generator)
            }
            guard let path = try? MemberPath(name) else { continue }
            let algorithm = (ChecksumAlgorithm.allCases + [nil]).randomElement(using: &generator) ?? nil
            let checksum = algorithm.flatMap { algorithm in
                FileChecksum(
                    algorithm, (0..<algorithm.byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) })
            }
            let size = UInt64.random(in: 0...UInt64(Int64.max), using: &generator)
            files.append(
                (
                    ManifestFile(
                        path: path, size: size >> Int.random(in: 0...62, using: &generator), checksum: checksum),
                    Int64.random(in: -1_000_000_000...10_000_000_000, using: &generator)
                ))
        }
        let ranges = (1...UInt32.random(in: 1...3, using: &generator)).map {
            ManifestWALRange(timeline: $0, start: "0/\($0)", end: "FFFFFFFF/\($0)")
        }
        let identifier = seed.isMultiple(of: 2) ? nil : UInt64.random(in: 0...(.max), using: &generator)
        let written = try write(files, ranges, identifier: identifier, encodesPath: seed.isMultiple(of: 5))
        let read = try ManifestRecorder.read(written.bytes)
        #expect(read.files == files.map(\.file))
        #expect(read.ranges == ranges)
        #expect(read.systemIdentifier == identifier && read.version == (identifier == nil ? 1 : 2))
    }

    @Test func `pieces have some KiB, however many files there are`() throws {
        let file = ManifestFile(path: try MemberPath("base/1/1259"), size: 8192, checksum: nil)
        let pieces = try write(Array(repeating: (file, 0), count: 10_000), [Self.range], identifier: 1).pieces
        #expect(pieces.count > 20)
        #expect(pieces.allSatisfy { $0 < 20_000 })
    }

    @Test func `an error of the output ends it`() throws {
        struct Full: Error {}
        var writer = try ManifestWriter(systemIdentifier: nil)
        #expect(throws: Full.self) {
            try writer.finish([Self.range], failure: { _ in Full() }) { _ throws(Full) in throw Full() }
        }
    }

    /// The times are in the manifest and in no value that the reader gives, so they are taken out of the text.
    @Test(arguments: Recording.versions.filter { Double($0) ?? 0 >= 13 })
    func `a recorded server's manifest is written the same, byte for byte`(version: String) throws {
        let recording = try Recording(version)
        let bytes = try #require(try recording.streams("20-base-backup").last)
        let read = try ManifestRecorder.read(bytes)
        let times = String(decoding: bytes, as: UTF8.self).split(separator: "\"Last-Modified\": \"").dropFirst()
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        formatter.dateFormat = "yyyy-MM-dd HH:mm:ss 'GMT'"
        let seconds = try times.map { time in
            Int64(try #require(formatter.date(from: String(time.prefix { $0 != "\"" }))).timeIntervalSince1970)
        }
        try #require(seconds.count == read.files.count && seconds.count > 200)
        let written = try write(
            Array(zip(read.files, seconds)).map { (file: $0, modified: $1) }, read.ranges,
            identifier: read.systemIdentifier)
        #expect(written.bytes == bytes)
    }
}
