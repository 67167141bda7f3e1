import Testing
import UnderstudyBackupFormat

@Suite struct ManifestReaderTests {
    static let head = #"""
        { "PostgreSQL-Backup-Manifest-Version": 2,
        "System-Identifier": 18446744073709551615,
        "Files": [
        { "Path": "backup_label", "Size": 210, "Last-Modified": "2026-11-22 22:16:33 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "bbc1bd08" },
        { "Encoded-Path": "62FF", "Size": 0, "Last-Modified": "2026-11-22 22:16:33 GMT" },
        { "Path": "a\"b\\\/\b\f\n\r\t\u00efï\ud83d\uDE00", "Size": 9223372036854775807 }
        ],
        "WAL-Ranges": [
        { "Timeline": 3, "Start-LSN": "0/3000028", "End-LSN": "0/3000100" },
        { "Timeline": 4, "Start-LSN": "0/3000100", "End-LSN": "0/4000000" }
        ],

        """#

    @Test func `files and WAL ranges are told in order`() throws {
        let recorder = try ManifestRecorder.read(try ManifestRecorder.sealed(Self.head))
        #expect(
            recorder.files == [
                ManifestFile(
                    path: try MemberPath("backup_label"), size: 210,
                    checksum: FileChecksum(.crc32c, [0xBB, 0xC1, 0xBD, 0x08])),
                ManifestFile(path: try MemberPath([0x62, 0xFF]), size: 0, checksum: nil),
                ManifestFile(
                    path: try MemberPath("a\"b\\/\u{8}\u{C}\n\r\tïï😀"), size: UInt64(Int64.max), checksum: nil),
            ])
        #expect(
            recorder.ranges == [
                ManifestWALRange(timeline: 3, start: "0/3000028", end: "0/3000100"),
                ManifestWALRange(timeline: 4, start: "0/3000100", end: "0/4000000"),
            ])
        #expect(recorder.version == 2)
        #expect(recorder.systemIdentifier == .max)
    }

    @Test func `how the bytes are cut makes no difference`() throws {
        let bytes = try ManifestRecorder.sealed(Self.head)
        let whole = try ManifestRecorder.read(bytes)
        for cut in (1..<bytes.count).map({ Cut.at($0) }) + (1...9).map({ Cut.every($0) }) {
            let recorder = try ManifestRecorder.read(bytes, cut)
            #expect(recorder.files == whole.files && recorder.ranges == whole.ranges, "\(cut)")
        }
    }

    @Test func `a manifest that is cut off is noticed at every byte`() throws {
        let bytes = try ManifestRecorder.sealed(Self.head)
        for count in 0..<bytes.count {
            let error = #expect(throws: BackupFormatError.self, "cut off at \(count)") {
                try ManifestRecorder.read(Array(bytes[..<count]))
            }
            #expect(error?.code == .truncated)
        }
    }

    @Test func `a changed bit is noticed at every byte`() throws {
        let bytes = try ManifestRecorder.sealed(Self.head)
        for index in bytes.indices {
            var changed = bytes
            // Makes another digit of each digit, and a letter of another value of each letter.
            changed[index] ^= 1
            #expect(throws: BackupFormatError.self, "changed at \(index)") { try ManifestRecorder.read(changed) }
        }
    }

    @Test func `a manifest without files is one`() throws {
        let recorder = try ManifestRecorder.read(
            try ManifestRecorder.sealed(
                "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [],\n\"WAL-Ranges\": [],\n"))
        #expect(recorder.files.isEmpty && recorder.ranges.isEmpty)
        #expect(recorder.systemIdentifier == nil)
    }

    @Test func `memory is bounded by the line`() throws {
        let name = String(repeating: "x", count: 70_000)
        for text in [name, String(repeating: "\\u0041", count: 11_000), String(repeating: "1", count: 70_000)] {
            for cut in [Cut.whole, .every(1000)] {
                let error = #expect(throws: BackupFormatError.self) {
                    try ManifestRecorder.read([UInt8](ascii: "{ \"\(text)"), cut)
                }
                #expect(error?.detail == "The line is longer than 65536 bytes.")
            }
        }
        let blank = "{" + String(repeating: " ", count: 70_000)
        let error = #expect(throws: BackupFormatError.self) { try ManifestRecorder.read([UInt8](ascii: blank)) }
        #expect(error?.detail == "The line is longer than 65536 bytes.")
    }

    @Test func `an error names line and byte`() {
        let error = #expect(throws: BackupFormatError.self) {
            try ManifestRecorder.read([UInt8](ascii: "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\n  \"Fails\""))
        }
        #expect(error?.message == "backup manifest is damaged at line 3, byte 46")
        #expect(error?.detail == "There is an unknown field \"Fails\".")
    }

    @Test func `the checksum covers all lines before its own`() throws {
        var bytes = try ManifestRecorder.sealed(Self.head)
        #expect(throws: Never.self) { try ManifestRecorder.read(bytes) }
        bytes[bytes.count - 5] = UInt8(ascii: bytes[bytes.count - 5] == UInt8(ascii: "0") ? "1" : "0")
        let error = #expect(throws: BackupFormatError.self) { try ManifestRecorder.read(bytes) }
        #expect(error?.code == .manifestChecksum)
    }

    @Test func `the checksum stands alone in the last line, and nothing follows it`() throws {
        let text = String(decoding: try ManifestRecorder.sealed(Self.head), as: UTF8.self)
        for changed in [
            text + "\n", text + " ", String(text.dropLast()) + " \n", String(text.dropLast(2)) + "\n}\n",
            String(text.dropLast(2)) + ", \"Files\": [] }\n", text.replacing(" \"", with: "\n\""), text + text,
        ] {
            #expect(throws: BackupFormatError.self, "\(changed.suffix(40))") {
                try ManifestRecorder.read([UInt8](ascii: changed))
            }
        }
    }
}
