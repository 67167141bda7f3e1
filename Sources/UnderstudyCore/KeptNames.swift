package import UnderstudyConnection
import UnderstudyProtocol

/// Names and values that a server cuts or alters without an error, or refuses only later. They are refused before that.
///
/// Source: the server's NAMEDATALEN, MAXPGPATH and MAXCONNINFO, and ReplicationSlotValidateName.
package enum KeptNames {
    /// Bytes of a name, unless the server was built otherwise: max_identifier_length.
    package static let usualLength = 63
    /// Bytes of a backup label: MAXPGPATH.
    package static let longestLabel = 1024
    /// Bytes of primary_conninfo that a standby's WAL receiver keeps: MAXCONNINFO, less the NUL behind them.
    package static let longestConnInfo = 1023
    /// Bytes of a tablespace's directory: MAXPGPATH, less what the server adds for its files.
    package static let longestTablespacePath = 970

    /// Why a server has no slot of this name; nil if it can have one.
    package static func flaw(ofSlot name: String, longest: Int = usualLength) -> UnderstudyError? {
        func refusal(_ what: String) -> UnderstudyError {
            UnderstudyError(
                .slot, "replication slot name \"\(name)\" \(what)",
                hint: "Choose a name of 1 to \(longest) lower-case letters, digits and underscores.")
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

    /// What a server makes of a name in pg_stat_replication that it does not keep, as a clause; nil if it keeps it.
    package static func flaw(ofApplicationName name: String, longest: Int = usualLength) -> String? {
        if !name.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) {
            return "the server replaces the characters in it that are not printable ASCII"
        }
        let length = name.utf8.count
        return length > longest ? "it has \(length) bytes, and the server keeps \(longest)" : nil
    }

    /// A label is a line of the file backup_label: what follows a line end would be taken for another fact.
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
    /// Refuses a name that no slot of this server can have: it would be cut without an error.
    package func checkSlotName(_ name: String) throws(UnderstudyError) {
        if let flaw = KeptNames.flaw(ofSlot: name, longest: try longestName(for: name)) { throw flaw }
    }

    /// What the server makes of the name of this connection, as a clause; nil if it keeps it.
    package func flawOfApplicationName() throws(UnderstudyError) -> (name: String, clause: String)? {
        guard let name = effectiveSettings.first(where: { $0.keyword == "application_name" })?.value, !name.isEmpty,
            let clause = KeptNames.flaw(ofApplicationName: name, longest: try longestName(for: name))
        else { return nil }
        return (name, clause)
    }

    /// The server is asked only about names that most servers cut.
    private func longestName(for name: String) throws(UnderstudyError) -> Int {
        guard name.utf8.count > KeptNames.usualLength, serverVersion.showsSettings else { return KeptNames.usualLength }
        return Int(try show("max_identifier_length")) ?? KeptNames.usualLength
    }
}
