import Testing
import UnderstudyBackupFormat

/// Manifests as pg_verifybackup reads them. What 18 says of each was seen; the words were taken from its output.
@Suite struct StockDialectTests {
    private static let head = """
        { "PostgreSQL-Backup-Manifest-Version": 1,
        "Files": [
        { "Path": "a", "Size": 2, "Checksum-Algorithm": "CRC32C", "Checksum": "00000000" },
        { "Path": "b", "Size": 2 }
        ],
        "WAL-Ranges": [
        { "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000120" }
        ],

        """

    private static func manifest(_ old: String, _ new: String) throws -> [UInt8] {
        try #require(head.contains(old))
        return try ManifestRecorder.sealed(head.replacing(old, with: new, maxReplacements: 1))
    }

    /// A text of a manifest, what replaces it, and what the stock tool says behind "could not parse backup manifest: ".
    static let parsing: [(String, String, String)] = [
        ("\"Size\": 2", "\"Size\": \"x\"", "file size is not an integer"),
        ("\"Size\": 2", "\"Size\": 1e3", "file size is not an integer"),
        ("\"Size\": 2", "\"Size\": null", "file size is not an integer"),
        ("\"Size\": 2", "\"Size\": {}", "unexpected object start"),
        ("\"Size\": 2", "\"Size\": []", "unexpected array start"),
        ("\"Size\": 2", "\"Size\": 05", "Token \"05\" is invalid."),
        ("\"Size\": 2", "\"Size\": 2.", "Token \"2.\" is invalid."),
        ("\"Size\": 2", "\"Size\": +2", "Token \"+\" is invalid."),
        ("\"Size\": 2", "\"Size\": 2x", "Token \"2x\" is invalid."),
        ("\"Size\": 2", "\"Size\": abc", "Token \"abc\" is invalid."),
        ("\"Size\": 2", "\"Size\" 2", "Expected \":\", but found \"2\"."),
        ("\"Size\": 2, ", "", "missing size"),
        ("\"Path\": \"a\", ", "", "missing path name"),
        ("\"Path\": \"a\"", "\"Path\": \"a\", \"Encoded-Path\": \"61\"", "both path name and encoded path name"),
        ("\"Path\": \"a\"", "\"Encoded-Path\": \"zz\"", "could not decode file name"),
        ("\"Path\": \"a\"", "\"Path\": \"\\q\"", "Escape sequence \"\\q\" is invalid."),
        ("\"Path\": \"a\"", "\"Path\": \"\\u00g0\"", "\"\\u\" must be followed by four hexadecimal digits."),
        ("\"Path\": \"a\"", "\"Path\": \"\\u0000\"", "\\u0000 cannot be converted to text."),
        ("\"Path\": \"a\"", "\"Path\": \"a\u{1}\"", "Character with value 0x01 must be escaped."),
        ("\"Path\": \"a\"", "\"Path\": \"\\ud800\"", "Unicode low surrogate must follow a high surrogate."),
        ("{ \"Path\": \"a\"", "{ 5: \"a\"", "Expected string or \"}\", but found \"5\"."),
        ("{ \"Path\": \"a\"", "{ \"Surprise\": [1], \"Path\": \"a\"", "unexpected file field"),
        ("\"Checksum-Algorithm\": \"CRC32C\", ", "", "checksum without algorithm"),
        (" },\n{", " }\n{", "Expected \",\" or \"]\", but found \"{\"."),
        ("2 }\n]", "2 },\n]", "Expected JSON value, but found \"]\"."),
        ("2 }\n]", "2, }\n]", "Expected string, but found \"}\"."),
        ("\"Files\": [", "\"Files\": {", "unexpected object start"),
        ("\"Files\": [", "\"Fil\": [", "unrecognized top-level field"),
        ("\"Files\": [", "\"Files\": [ [] ,", "unexpected array start"),
        ("\"Files\": [", "\"Files\": 5, \"x\": [", "unexpected scalar"),
        ("Version\": 1", "Version\": 3", "unexpected manifest version"),
        ("Version\": 1", "Version\": \"x\"", "manifest version not an integer"),
        ("PostgreSQL-Backup-Manifest-Version", "Version", "expected version indicator"),
        ("\"Timeline\": 1, ", "", "missing timeline"),
        ("\"Timeline\": 1", "\"Timeline\": \"x\"", "timeline is not an integer"),
        ("\"Timeline\": 1", "\"Surprise\": 1", "unexpected WAL range field"),
        ("\"0/2000028\"", "\"x\"", "could not parse start LSN"),
        ("\"0/2000120\"", "0", "could not parse end LSN"),
    ]

    @Test(arguments: parsing)
    func `what cannot be parsed has the words of the stock tool`(old: String, new: String, words: String) throws {
        let bytes = try Self.manifest(old, new)
        for cut in [Cut.whole, .every(1)] {
            let error = #expect(throws: BackupFormatError.self) { try ManifestRecorder.read(bytes, cut, .stock) }
            #expect(error?.stockMessage == "could not parse backup manifest: \(words)")
        }
    }

    @Test(arguments: [
        ("\"CRC32C\"", "\"MD5\"", "unrecognized checksum algorithm: \"MD5\""),
        ("\"00000000\"", "\"zz\"", "invalid checksum for file \"a\": \"zz\""),
        ("\"00000000\"", "1", "invalid checksum for file \"a\": \"1\""),
    ])
    func `other flaws have its words, too`(old: String, new: String, words: String) throws {
        let bytes = try Self.manifest(old, new)
        let error = #expect(throws: BackupFormatError.self) { try ManifestRecorder.read(bytes, .whole, .stock) }
        #expect(error?.stockMessage == words)
    }

    /// What the last bytes of a manifest become, and what the stock tool says.
    static let ends: [(dropped: Int, added: String, words: String)] = [
        (1, "", "could not parse backup manifest: last line not newline-terminated"),
        (2, "", "could not parse backup manifest: The input string ended unexpectedly."),
        (0, "\n", "manifest checksum mismatch"),
        (0, "x\n", "could not parse backup manifest: Token \"x\" is invalid."),
        (5, "00\"}\n", "manifest checksum mismatch"),
        (9, "\"}\n", "invalid manifest checksum: "),
    ]

    @Test(arguments: ends)
    func `its end`(dropped: Int, added: String, words: String) throws {
        let whole = try ManifestRecorder.sealed(Self.head)
        let bytes = whole.dropLast(dropped) + Array(added.utf8)
        for cut in [Cut.whole, .every(1)] {
            let error = #expect(throws: BackupFormatError.self) {
                try ManifestRecorder.read(Array(bytes), cut, .stock)
            }
            #expect(error?.stockMessage?.hasPrefix(words) == true, "\(error?.stockMessage ?? "nothing")")
        }
    }

    @Test func `much is read that a backup under way refuses`() throws {
        func files(_ old: String, _ new: String) throws -> ManifestRecorder {
            let bytes = try Self.manifest(old, new)
            #expect(throws: BackupFormatError.self) { try ManifestRecorder.read(bytes) }
            return try ManifestRecorder.read(bytes, .whole, .stock)
        }
        #expect(try files("\"Size\": 2", "\"Size\": \"3\"").files[0].size == 3)
        #expect(try files("\"Size\": 2", "\"Size\": -1").files[0].size == .max)
        #expect(try files("\"Size\": 2", "\"Size\": 99999999999999999999").files[0].size == .max)
        #expect(try files("\"Path\": \"a\"", "\"Path\": \"../x\"").foreign == [Array("../x".utf8)])
        #expect(try files("\"Path\": \"a\"", "\"Path\": \"\"").foreign == [[]])
        #expect(try files("\"CRC32C\"", "\"NONE\"").files[0].checksum == nil)
        #expect(try files("\"CRC32C\"", "\"crc32c\"").files[0].checksum?.algorithm == .crc32c)
        let unfit = try files("\"CRC32C\"", "\"SHA256\"").files[0].unfitChecksum
        #expect(unfit?.algorithm == .sha256 && unfit?.count == 4)
        #expect(try files("Version\": 1", "Version\": \"1\"").version == 1)
    }
}
