import Foundation
import Understudy
import UnderstudyTestSupport

/// Manifests that do not belong to the backup that they come with.
extension Attack {
    private static let withManifest: [PlayedServer.Version] = [.v14, .v16]

    private static func manifest(
        _ name: String, _ code: UnderstudyError.Code, word: String = "",
        _ make: @escaping @Sendable (inout String) -> Void
    ) -> Attack {
        Attack(name, code, word: word, versions: withManifest) { make(&$0.manifest) }
    }

    /// A manifest that lists other files than it should.
    private static func listing(
        _ name: String, _ code: UnderstudyError.Code, word: String,
        _ change: @escaping @Sendable (inout [(path: String, size: Int)]) -> Void
    ) -> Attack {
        Attack(name, code, word: word, versions: withManifest) { played in
            var files = PlayedServer.files(of: played.version)
            change(&files)
            played.manifest = PlayedServer.manifest(files)
        }
    }

    private static let pageSum = PlayedServer.crc32c([UInt8](repeating: 0x5A, count: 8192))

    static func resealed(_ manifest: String, _ change: (String) -> String) -> String {
        PlayedServer.sealed(
            change(String(manifest.prefix(upTo: manifest.range(of: "\"Manifest-Checksum")!.lowerBound))))
    }

    static let manifests: [Attack] = [
        manifest("another size", .verification, word: "PG_VERSION") {
            $0 = resealed($0) { $0.replacing("\"PG_VERSION\", \"Size\": 3", with: "\"PG_VERSION\", \"Size\": 4") }
        },
        listing("a file that did not arrive", .verification, word: "ghost") { $0.append(("ghost", 1)) },
        listing("a file that is missing in it", .verification, word: "does not list") { $0.remove(at: 1) },
        listing("a file twice", .verification, word: "twice") { $0.append(("PG_VERSION", 3)) },
        listing("a file outside", .protocolViolation, word: "../x") { $0.append(("../x", 8)) },
        listing("a file from the root on", .protocolViolation, word: "/etc/passwd") { $0.append(("/etc/passwd", 8)) },
        manifest("a file without its checksum", .verification, word: "no checksum, and CRC32C was asked for") {
            $0 = resealed($0) {
                $0.replacing(#", "Checksum-Algorithm": "CRC32C", "Checksum": "\#(pageSum)""#, with: "")
            }
        },
        manifest("a checksum of another algorithm", .verification, word: "a SHA224 checksum, and CRC32C was asked for")
        {
            $0 = resealed($0) {
                $0.replacing(
                    #""CRC32C", "Checksum": "\#(pageSum)""#,
                    with: #""SHA224", "Checksum": "\#(String(repeating: "00", count: 28))""#)
            }
        },
        manifest("the version of newer servers", .verification, word: "version is 2, and a server") {
            $0 = resealed($0) {
                $0.replacing("Version\": 1,", with: "Version\": 2,\n\"System-Identifier\": 7711123260964962612,")
            }
        },
        manifest("WAL from another start", .verification, word: "WAL ranges are not the WAL from") {
            $0 = resealed($0) { $0.replacing("0/3000028", with: "0/3000060") }
        },
        manifest("WAL to another end", .verification, word: "WAL ranges are not the WAL from") {
            $0 = resealed($0) { $0.replacing("0/3000138", with: "0/3000130") }
        },
        manifest("WAL of another timeline", .verification, word: "WAL ranges are not the WAL from") {
            $0 = resealed($0) { $0.replacing("\"Timeline\": 1", with: "\"Timeline\": 2") }
        },
        manifest("no WAL", .verification, word: "no WAL range") {
            $0 = resealed($0) {
                $0.replacing(
                    "{ \"Timeline\": 1, \"Start-LSN\": \"0/3000028\", \"End-LSN\": \"0/3000138\" }\n", with: "")
            }
        },
        manifest("a wrong checksum of its own", .protocolViolation, word: "checksum") {
            $0 = $0.replacing("Size\": 3", with: "Size\": 4")
        },
        manifest("no checksum of its own", .protocolViolation) {
            $0 = String($0.prefix(upTo: $0.range(of: "\"Manifest-Checksum")!.lowerBound)) + "\"x\": 1}\n"
        },
        manifest("no JSON", .protocolViolation) { $0 = "this is no manifest\n" },
        manifest("nothing", .protocolViolation) { $0 = "" },
        manifest("a JSON that is none of its kind", .protocolViolation) { $0 = "[1, 2, 3]\n" },
        manifest("version 3", .protocolViolation, word: "version") {
            $0 = PlayedServer.sealed("{ \"PostgreSQL-Backup-Manifest-Version\": 3,\n\"Files\": [],\n")
        },
        manifest("a million brackets", .protocolViolation) {
            $0 = PlayedServer.sealed(
                "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": \(String(repeating: "[", count: 1_000_000))\n"
            )
        },
        manifest("a number of a thousand digits", .protocolViolation) {
            $0 = PlayedServer.sealed(
                "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n\"Files\": [\n{ \"Path\": \"PG_VERSION\", \"Size\": \(String(repeating: "9", count: 1000)) }],\n"
            )
        },
        manifest("bytes behind its end", .protocolViolation) { $0 += "more\n" },
        Attack("a manifest that is missing", versions: withManifest) {
            // The copy of an older server has none either, so it must be the one that was asked for.
            let old = PlayedServer($0.version)
            var answer = try? old.answer(to: "BASE_BACKUP")
            if !$0.version.hasOneCopy { answer?.tail = [] }
            $0.answers["BASE_BACKUP"] = answer
        },
    ]
}
