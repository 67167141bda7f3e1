import UnderstudyBackupFormat
import UnderstudyCore

extension MemberPath {
    /// The OID if the path is `pg_tblspc/OID` or beneath it, and whether it is that path itself.
    var tablespacePlace: (oid: UInt32, isItself: Bool)? {
        let parent = "pg_tblspc" as StaticString
        guard isBeneath(parent) else { return nil }
        let rest = bytes.dropFirst(parent.utf8CodeUnitCount + 1)
        let name = rest.prefix { $0 != UInt8(ascii: "/") }
        // Only in the server's spelling.
        guard let oid = UInt32(String(decoding: name, as: UTF8.self)), "\(oid)".utf8.elementsEqual(name) else {
            return nil
        }
        return (oid, name.count == rest.count)
    }
}

/// Refuses members that the server never sends, wherever they would go.
struct MemberCheck {
    let rules: MemberRules
    private var isOfTablespace = false
    /// The single directory at the top of a tablespace's archive.
    private var versionDirectory: [UInt8]?

    init(rules: MemberRules) {
        self.rules = rules
    }

    mutating func beginArchive(isOfTablespace: Bool) {
        self.isOfTablespace = isOfTablespace
        versionDirectory = nil
    }

    mutating func check(_ entry: TarEntry) throws(UnderstudyError) {
        if let flaw = rules.flaw(of: entry.path, entry.kind, in: isOfTablespace ? .tablespace : .data) {
            throw UnderstudyError(.protocolViolation, "server sent \"\(entry.path)\" unasked", detail: flaw)
        }
        guard isOfTablespace else { return }
        let directory = rules.versionDirectory(of: entry.path)
        if let versionDirectory, versionDirectory != directory {
            throw UnderstudyError(
                .protocolViolation,
                "server sent \"\(entry.path)\" in the archive of a tablespace that has directory \"\(MemberPath.escaped(versionDirectory))\"",
                detail: "A server sends its own directory of a tablespace alone.")
        }
        versionDirectory = directory
    }
}
