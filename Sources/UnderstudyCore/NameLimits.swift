package import UnderstudyConnection
import UnderstudyProtocol

/// Checks names and values that a server would truncate or alter without an error, or refuse only later.
///
/// Source: the server's NAMEDATALEN, MAXPGPATH and MAXCONNINFO, and ReplicationSlotValidateName.
package enum NameLimits {
    /// The longest name in bytes (max_identifier_length), unless the server was built otherwise.
    package static let usualLength = 63
    /// The longest backup label in bytes: MAXPGPATH.
    package static let longestLabel = 1024
    /// The longest primary_conninfo in bytes that a standby's WAL receiver keeps: MAXCONNINFO less the terminating NUL.
    package static let longestConnInfo = 1023
    /// The longest tablespace directory in bytes: MAXPGPATH less what the server appends for its files.
    package static let longestTablespacePath = 970

    /// Why this is not a valid slot name; nil if it is valid.
    package static func flaw(ofSlot name: String, longest: Int = usualLength) -> UnderstudyError? {
        func refusal(_ what: String) -> UnderstudyError {
            UnderstudyError(
                .slot, "replication slot name \"\(name)\" \(what)",
                hint:
                    "Choose a name of 1 to \(longest) lower-case letters, digits and underscores\(likeness(of: name, longest))."
            )
        }
        if name.isEmpty { return refusal("is too short") }
        let isPlain = name.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || $0 == UInt8(ascii: "_")
        }
        if !isPlain { return refusal("contains a character that no slot name has") }
        let length = name.utf8.count
        if length > longest { return refusal("is too long: it has \(length) bytes, and the server keeps \(longest)") }
        return nil
    }

    /// The nearest name that a slot may have, as the end of a sentence; empty if nothing of the name would be left.
    private static func likeness(of name: String, _ longest: Int) -> String {
        let bytes = name.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): byte
            default: UInt8(ascii: "_")
            }
        }
        guard bytes.contains(where: { $0 != UInt8(ascii: "_") }) else { return "" }
        return ", such as \"\(String(decoding: bytes.prefix(longest), as: UTF8.self))\""
    }

    /// How the server alters this name in pg_stat_replication, as a clause; nil if it keeps the name.
    package static func flaw(ofApplicationName name: String, longest: Int = usualLength) -> String? {
        if !name.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) {
            return "the server replaces the characters in it that are not printable ASCII"
        }
        let length = name.utf8.count
        return length > longest ? "it has \(length) bytes, and the server keeps \(longest)" : nil
    }

    /// Why this is not a valid backup label; nil if it is valid. The label is one line of the file backup_label: text
    /// after a line end would be read as another entry.
    package static func flaw(ofLabel label: String) -> UnderstudyError? {
        if label.utf8.contains(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            return UnderstudyError(
                .options, "backup label contains a line end", hint: "Choose a label that is one line.")
        }
        let length = label.utf8.count
        guard length > longestLabel else { return nil }
        return UnderstudyError(
            .options, "backup label is too long: it has \(length) bytes",
            hint: "Choose a label of at most \(longestLabel) bytes.")
    }
}

extension Session {
    /// Throws if this is not a valid slot name on this server, which truncates long names without an error.
    package func checkSlotName(_ name: String) throws(UnderstudyError) {
        if let flaw = NameLimits.flaw(ofSlot: name, longest: try longestName(for: name)) { throw flaw }
    }

    /// The application_name of this connection and how the server alters it, as a clause; nil if it keeps the name.
    package func flawOfApplicationName() throws(UnderstudyError) -> (name: String, clause: String)? {
        guard let name = effectiveSettings.first(where: { $0.keyword == "application_name" })?.value, !name.isEmpty,
            let clause = NameLimits.flaw(ofApplicationName: name, longest: try longestName(for: name))
        else { return nil }
        return (name, clause)
    }

    /// The longest name that this server keeps. Asks the server only about names that most servers truncate.
    private func longestName(for name: String) throws(UnderstudyError) -> Int {
        guard name.utf8.count > NameLimits.usualLength, serverVersion.showsSettings else {
            return NameLimits.usualLength
        }
        return Int(try show("max_identifier_length")) ?? NameLimits.usualLength
    }
}
