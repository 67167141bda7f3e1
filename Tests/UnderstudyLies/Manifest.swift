/// A backup manifest, line by line.
struct Manifest: Sendable {
    struct File: Sendable {
        var path: String
        var size: String
        /// Algorithm and checksum; nil for none.
        var checksum: (algorithm: String, value: String)?
        /// Whether the path is written in hexadecimal.
        var isEncoded = false

        var line: String {
            let name =
                isEncoded
                ? #""Encoded-Path": "\#(path.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined())""#
                : #""Path": "\#(path)""#
            let sum = checksum.map { #", "Checksum-Algorithm": "\#($0.algorithm)", "Checksum": "\#($0.value)""# } ?? ""
            return #"{ \#(name), "Size": \#(size), "Last-Modified": "2026-01-01 00:00:00 GMT"\#(sum) }"#
        }
    }

    var version: String
    var systemIdentifier: String?
    var files: [File]
    var timeline = "1"
    var start = "0/3000028"
    var end = "0/3000138"

    /// - Parameter archives: That of the tablespace, and that of the data directory.
    init(_ release: Release, listing archives: [[Member]]) {
        version = "\(release.manifestVersion)"
        systemIdentifier = release.manifestVersion > 1 ? Tale.system : nil
        files = []
        list(archives)
    }

    /// Lists the files of these archives as they are.
    mutating func list(_ archives: [[Member]]) {
        files = zip(archives, ["pg_tblspc/16385/", ""]).flatMap { members, prefix in
            members.filter { $0.type == "0" }.map { member in
                let isText =
                    String(validating: member.name, as: UTF8.self) != nil
                    && !member.name.contains { $0 < 32 || $0 == 34 || $0 == 92 }
                return File(
                    path: prefix + member.path, size: "\(member.content.count)",
                    checksum: ("CRC32C", Digests.crc32c(member.content)), isEncoded: !isText)
            }
        }
    }

    var text: String {
        var lines = ["{ \"PostgreSQL-Backup-Manifest-Version\": \(version),"]
        if let systemIdentifier { lines.append("\"System-Identifier\": \(systemIdentifier),") }
        lines += ["\"Files\": [", files.map(\.line).joined(separator: ",\n"), "],", "\"WAL-Ranges\": ["]
        lines += [
            "{ \"Timeline\": \(timeline), \"Start-LSN\": \"\(start)\", \"End-LSN\": \"\(end)\" }", "],", "",
        ]
        return Self.sealed(lines.joined(separator: "\n"))
    }

    static func sealed(_ head: String) -> String {
        "\(head)\"Manifest-Checksum\": \"\(Digests.sha256(head.utf8))\"}\n"
    }
}
