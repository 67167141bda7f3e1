import Foundation
import Glibc
import UnderstudyTestSupport

/// Damages a plain backup as disks, programs and people do: one change at a time, drawn from a seed.
struct BackupMutator {
    /// What can be done to a backup.
    enum Kind: CaseIterable {
        case flip, cut, grow, empty, remove, add, addDirectory, swap, lock, replaceByDirectory, replaceByLink, rename
        case lockDirectory, removeDirectory, breakTablespace, addPipe
        case removeSegment, flipSegment, cutSegment
        case manifestByte, manifestCut, manifestField, manifestLine, manifestRemoved, manifestUnreadable
    }

    let directory: String
    let tablespace: String
    var generator: Seed.Generator
    private var manifest: String { "\(directory)/backup_manifest" }

    /// Does something of the kind.
    ///
    /// - Returns: What was done, to be printed.
    mutating func damage(_ kind: Kind) throws -> String {
        switch kind {
        case .flip: return try change("flips a bit of", file()) { try flip($0) }
        case .cut: return try change("cuts", file(largerThan: 1)) { try resize($0, by: -1) }
        case .grow: return try change("makes longer", file()) { try resize($0, by: 1) }
        case .empty: return try change("empties", file(largerThan: 0)) { try FileTree.overwrite($0, []) }
        case .remove: return try change("removes", file()) { try FileManager.default.removeItem(atPath: $0) }
        case .add:
            let place = pick(["", "/base", "/global", "/pg_wal", "/pg_tblspc", "/base/1/deeper"])
            try FileManager.default.createDirectory(atPath: directory + place, withIntermediateDirectories: true)
            return try change("adds", "\(place.dropFirst())\(place.isEmpty ? "" : "/")added \(pick(["file", "dätei"]))")
            {
                try TestDirectory.write("added\n", to: $0, mode: 0o644)
            }
        case .addDirectory:
            return try change("adds directory", "base/added") { try TestDirectory.make(at: $0, mode: 0o755) }
        case .addPipe:
            return try change("adds pipe", "global/pipe") { path in
                guard unsafe mkfifo(path, 0o644) == 0 else { throw SupportError("no pipe at \(path)") }
            }
        case .swap:
            let first = try file(largerThan: 0), second = try file(largerThan: 0)
            let bytes = try (FileTree.bytes(at(first)), FileTree.bytes(at(second)))
            try FileTree.overwrite(at(first), bytes.1)
            try FileTree.overwrite(at(second), bytes.0)
            return "swaps \(first) and \(second)"
        case .lock: return try change("locks", file()) { unsafe chmod($0, 0) }
        case .replaceByDirectory:
            return try change("puts a directory in place of", file()) {
                try FileManager.default.removeItem(atPath: $0)
                try TestDirectory.make(at: $0, mode: 0o755)
            }
        case .replaceByLink:
            return try change("puts a link in place of", file()) {
                try FileManager.default.removeItem(atPath: $0)
                try FileManager.default.createSymbolicLink(
                    atPath: $0, withDestinationPath: pick(["nowhere", "/etc/passwd"]))
            }
        case .rename:
            return try change("renames", file()) { try FileManager.default.moveItem(atPath: $0, toPath: $0 + ".old") }
        case .lockDirectory:
            return change("locks directory", pick(["base", "global", "pg_xact", "pg_wal"])) { unsafe chmod($0, 0) }
        case .removeDirectory:
            return change("removes directory", pick(["base/1", "global", "pg_xact", "pg_tblspc"])) {
                TestDirectory.removeTree($0)
            }
        case .breakTablespace:
            return try change("breaks tablespace", "pg_tblspc/\(tablespace)") {
                try FileManager.default.removeItem(atPath: $0)
                try FileManager.default.createSymbolicLink(
                    atPath: $0, withDestinationPath: pick(["/nowhere", "../base", "."]))
            }
        case .removeSegment: return try change("removes", segment()) { try FileManager.default.removeItem(atPath: $0) }
        case .flipSegment: return try change("flips a bit of", segment()) { try flip($0, within: 4096) }
        case .cutSegment: return try change("cuts", segment()) { try resize($0, by: -1) }
        case .manifestByte: return try change("flips a bit of", "backup_manifest") { try flip($0) }
        case .manifestCut: return try change("cuts", "backup_manifest") { try resize($0, by: -1) }
        case .manifestField: return try changeManifest { text, mutator in mutator.changeField(of: &text) }
        case .manifestLine: return try changeManifest { text, mutator in mutator.changeLines(of: &text) }
        case .manifestRemoved:
            return try change("removes", "backup_manifest") { try FileManager.default.removeItem(atPath: $0) }
        case .manifestUnreadable: return change("locks", "backup_manifest") { unsafe chmod($0, 0) }
        }
    }

    // MARK: - Files

    private func at(_ name: String) -> String { "\(directory)/\(name)" }

    private mutating func pick<Value>(_ values: [Value]) -> Value { values.randomElement(using: &generator)! }

    private func change(_ verb: String, _ name: String, _ body: (String) throws -> Void) rethrows -> String {
        try body(at(name))
        return "\(verb) \(name)"
    }

    /// A file of the data or of a tablespace.
    private mutating func file(largerThan size: Int = -1) throws -> String {
        let names = (FileManager.default.subpaths(atPath: directory) ?? []).filter { name in
            guard name != "backup_manifest", !name.hasPrefix("pg_wal/"),
                let attributes = try? FileManager.default.attributesOfItem(atPath: at(name)),
                attributes[.type] as? FileAttributeType == .typeRegular
            else { return false }
            return (attributes[.size] as? Int ?? 0) > size
        }
        return pick(names.sorted())
    }

    private mutating func segment() throws -> String {
        "pg_wal/\(pick(FileTree.names(at("pg_wal")).filter { $0.utf8.count == 24 }))"
    }

    private mutating func flip(_ path: String, within limit: Int = .max) throws {
        var bytes = try FileTree.bytes(path)
        guard !bytes.isEmpty else { return try FileTree.overwrite(path, [UInt8(ascii: "x")]) }
        bytes[Int.random(in: 0..<min(limit, bytes.count), using: &generator)] ^=
            1 << UInt8.random(in: 0..<8, using: &generator)
        try FileTree.overwrite(path, bytes)
    }

    /// - Parameter sign: Whether bytes are added or go.
    private mutating func resize(_ path: String, by sign: Int) throws {
        let bytes = try FileTree.bytes(path)
        let count = Int.random(in: 1...max(1, min(sign < 0 ? bytes.count : 10_000, bytes.count)), using: &generator)
        try FileTree.overwrite(
            path, sign < 0 ? Array(bytes.dropLast(count)) : bytes + [UInt8](repeating: 0, count: count))
    }

    // MARK: - The manifest

    private mutating func changeManifest(_ body: (inout String, inout BackupMutator) -> String) throws -> String {
        var text = String(try FileTree.text(manifest).components(separatedBy: "\"Manifest-Checksum\"")[0])
        let done = body(&text, &self)
        // Most damage would else be hidden by a wrong checksum of the manifest.
        try FileTree.overwrite(manifest, Array(PlayedServer.sealed(text).utf8))
        return done
    }

    private static let fields: [(what: String, pattern: String, values: [String])] = [
        (
            "size", #""Size": [0-9]+"#,
            [#""Size": 1"#, #""Size": -1"#, #""Size": "x""#, #""Size": 99999999999999999999"#, #""Size": 1e3"#]
        ),
        (
            "checksum", #""Checksum": "[0-9a-f]+""#,
            [
                #""Checksum": "00000000""#, #""Checksum": "zz""#, #""Checksum": "0""#, #""Checksum": """#,
                #""Checksum": 1"#,
            ]
        ),
        (
            "algorithm", #""Checksum-Algorithm": "[A-Z0-9]+""#,
            [
                #""Checksum-Algorithm": "MD5""#, #""Checksum-Algorithm": "SHA256""#, #""Checksum-Algorithm": "crc32c""#,
                #""Checksum-Algorithm": "NONE""#,
            ]
        ),
        (
            "path", #""Path": "[^"]+""#,
            [
                #""Path": "../outside""#, #""Path": "/etc/passwd""#, #""Path": "base/none""#, #""Path": """#,
                #""Path": "global/pg_control""#, #""Encoded-Path": "zz""#, #""Encoded-Path": "61""#,
            ]
        ),
        (
            "version", #""PostgreSQL-Backup-Manifest-Version": [0-9]"#,
            [
                #""PostgreSQL-Backup-Manifest-Version": 3"#, #""PostgreSQL-Backup-Manifest-Version": "1""#,
                #""Version": 1"#,
            ]
        ),
        (
            "system identifier", #""System-Identifier": [0-9]+"#,
            [#""System-Identifier": 1"#, #""System-Identifier": "x""#, #""System-Identifer": 1"#]
        ),
        ("timeline", #""Timeline": [0-9]+"#, [#""Timeline": 9"#, #""Timeline": 0"#, #""Timeline": "x""#]),
        (
            "start of WAL", #""Start-LSN": "[0-9A-F/]+""#,
            [#""Start-LSN": "0/1000028""#, #""Start-LSN": "x""#, #""Start-LSN": "FF/0""#]
        ),
        (
            "end of WAL", #""End-LSN": "[0-9A-F/]+""#,
            [#""End-LSN": "0/FF000028""#, #""End-LSN": "0""#, #""End-LSN": 0"#]
        ),
        (
            "time", #""Last-Modified": "[^"]+""#,
            [#""Last-Modified": "yesterday""#, #""Last-Modified": 0"#, #""Modified": """#]
        ),
        ("key", #""Files": \["#, [#""Files": {"#, #""Fil": ["#, #""Files": [ [] ,"#]),
    ]

    private mutating func changeField(of text: inout String) -> String {
        let present = Self.fields.filter { text.range(of: $0.pattern, options: .regularExpression) != nil }
        let field = pick(present)
        // One of the first hundred.
        var places: [Range<String.Index>] = [], from = text.startIndex
        while places.count < 100,
            let place = text.range(of: field.pattern, options: .regularExpression, range: from..<text.endIndex)
        {
            places.append(place)
            from = place.upperBound
        }
        let place = pick(places), value = pick(field.values)
        defer { text.replaceSubrange(place, with: value) }
        return "manifest: \(text[place]) becomes \(value)"
    }

    private mutating func changeLines(of text: inout String) -> String {
        var lines = text.components(separatedBy: "\n")
        let index = Int.random(in: 0..<max(1, lines.count - 1), using: &generator)
        let line = lines[index]
        switch Int.random(in: 0..<4, using: &generator) {
        case 0:
            lines.remove(at: index)
            text = lines.joined(separator: "\n")
            return "manifest: without line \(line)"
        case 1:
            lines.insert(line, at: index)
            text = lines.joined(separator: "\n")
            return "manifest: twice line \(line)"
        case 2:
            lines[index] = String(line.dropLast())
            text = lines.joined(separator: "\n")
            return "manifest: shorter by one character: \(line)"
        default:
            lines[index] = line.replacing("{ ", with: "{ \"Surprise\": [1, null, true, \"\\u00e4\"], ")
            text = lines.joined(separator: "\n")
            return "manifest: one more key in \(line)"
        }
    }
}

extension FileTree {
    /// Gives a file other bytes; it keeps its owner and mode.
    static func overwrite(_ path: String, _ bytes: [UInt8]) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.truncate(atOffset: 0)
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }
}
