import Testing
import UnderstudyBackupFormat

@Suite struct ManifestFlawTests {
    /// A text of a sound manifest, what replaces it, and what the error's detail then has in it.
    static let flaws: [(String, String, String)] = [
        ("Version\": 1", "Version\": 3", "Its version is 3"),
        ("Version\": 1", "Version\": \"1\"", "wrong type"),
        ("Version\": 1", "Version\": 1.0", "not a whole number"),
        ("Version\": 1", "Version\": 01", "not a whole number"),
        ("Version\": 1", "Version\": 2", "\"System-Identifier\" is missing"),
        ("\"PostgreSQL-Backup-Manifest-Version\": 1,\n", "", "does not begin with its version"),
        ("\"Files\": [", "\"Folders\": [", "unknown field \"Folders\""),
        ("\"Files\": [", "\"Files\": 1, \"x\": [", "wrong type"),
        ("\"Files\": [", "\"Files\": [], \"Files\": [", "\"Files\" is there twice"),
        ("\"Files\": [", "\"Files\": {", "wrong type"),
        ("\"Files\": [\n{", "\"Files\": [\n[", "structure"),
        ("\"Files\": [\n{", "\"Files\": [\n,{", "structure"),
        ("},\n{ \"Path\": \"b\"", "} { \"Path\": \"b\"", "structure"),
        ("},\n{ \"Path\": \"b\"", "},,{ \"Path\": \"b\"", "structure"),
        ("\"Size\": 2 }\n]", "\"Size\": 2 },\n]", "structure"),
        ("\"Size\": 2 }\n]", "\"Size\": 2, }\n]", "structure"),
        ("\"Size\": 2 }\n]", "\"Size\": 2 ]\n]", "structure"),
        ("\"Size\": 2 }\n]", "\"Size\" 2 }\n]", "structure"),
        ("\"Size\": 2 }\n]", "\"Size\": }\n]", "wrong type"),
        ("\"Size\": 2 }\n]", "\"Size\": true }\n]", "unexpected character \"t\""),
        ("\"Size\": 2 }\n]", "\"Size\": -2 }\n]", "not a whole number"),
        ("\"Size\": 2 }\n]", "\"Size\": 9223372036854775808 }\n]", "not a whole number"),
        ("\"Size\": 2 }\n]", "\"Size\": 2, \"Size\": 2 }\n]", "\"Size\" is there twice"),
        ("\"Size\": 2 }\n]", "\"Sise\": 2 }\n]", "unknown field \"Sise\""),
        ("\"Path\": \"b\", \"Size\": 2", "\"Path\": \"b\"", "\"Size\" is missing"),
        ("\"Path\": \"b\", ", "", "has no path"),
        ("\"Path\": \"b\"", "\"Path\": \"b\", \"Encoded-Path\": \"62\"", "both a path and an encoded path"),
        ("\"Path\": \"b\"", "\"Path\": \"\"", "The path \"\" is empty"),
        ("\"Path\": \"b\"", "\"Path\": \"/b\"", "is absolute"),
        ("\"Path\": \"b\"", "\"Path\": \"../b\"", "has a component \"..\""),
        ("\"Path\": \"b\"", "\"Path\": \"b\\u0000\"", "zero byte"),
        ("\"Path\": \"b\"", "\"Path\": \"b\\x\"", "unknown escape \"\\x\""),
        ("\"Path\": \"b\"", "\"Path\": \"b\\u00g0\"", "four digits"),
        ("\"Path\": \"b\"", "\"Path\": \"\\ud83d\"", "surrogate"),
        ("\"Path\": \"b\"", "\"Path\": \"\\ud83dx\"", "surrogate"),
        ("\"Path\": \"b\"", "\"Path\": \"\\ud83d\\n\"", "surrogate"),
        ("\"Path\": \"b\"", "\"Path\": \"\\ud83d\\ud83d\"", "surrogate"),
        ("\"Path\": \"b\"", "\"Path\": \"\\ude00\"", "surrogate"),
        ("\"Path\": \"b\"", "\"Path\": \"b\n\"", "control character"),
        ("\"Path\": \"b\"", "\"Encoded-Path\": \"6\"", "not hexadecimal"),
        ("\"Path\": \"b\"", "\"Encoded-Path\": \"6x\"", "not hexadecimal"),
        ("\"Path\": \"b\"", "\"Encoded-Path\": \"2e2e\"", "has a component \"..\""),
        ("\"CRC32C\"", "\"MD5\"", "unknown checksum algorithm \"MD5\""),
        ("\"CRC32C\"", "\"SHA256\"", "has 4 bytes"),
        ("\"Checksum-Algorithm\": \"CRC32C\", ", "", "without an algorithm"),
        (", \"Checksum\": \"00000000\"", "", "without an algorithm"),
        ("\"Timeline\": 1, ", "", "\"Timeline\" is missing"),
        ("\"Timeline\": 1, ", "\"Timeline\": 4294967296, ", "not a whole number"),
        ("\"Start-LSN\"", "\"End-LSN\"", "\"End-LSN\" is there twice"),
        ("\"WAL-Ranges\": [\n{ \"Timeline\": 1, \"Start-LSN\": \"0/1\", \"End-LSN\": \"0/2\" }\n],\n", "", "missing"),
        ("{ \"PostgreSQL", "[ \"PostgreSQL", "structure"),
        ("{ \"PostgreSQL", "\u{FEFF}{ \"PostgreSQL", "unexpected character"),
    ]

    static let head = """
        { "PostgreSQL-Backup-Manifest-Version": 1,
        "Files": [
        { "Path": "a", "Size": 0, "Checksum-Algorithm": "CRC32C", "Checksum": "00000000" },
        { "Path": "b", "Size": 2 }
        ],
        "WAL-Ranges": [
        { "Timeline": 1, "Start-LSN": "0/1", "End-LSN": "0/2" }
        ],

        """

    @Test(arguments: flaws)
    func `a flaw is named`(text: String, replacement: String, detail: String) throws {
        let changed = Self.head.replacing(text, with: replacement)
        try #require(changed != Self.head)
        for cut in [Cut.whole, .every(1), .every(7)] {
            // Even where the checksum is right.
            let bytes = try ManifestRecorder.sealed(changed)
            let error = #expect(throws: BackupFormatError.self) { try ManifestRecorder.read(bytes, cut) }
            #expect(error?.code == .malformedManifest)
            #expect(error?.detail?.contains(detail) == true, "\(error?.detail ?? "")")
        }
    }

    @Test func `the manifest that they are made of is sound`() throws {
        #expect(try ManifestRecorder.read(try ManifestRecorder.sealed(Self.head)).files.count == 2)
    }
}
