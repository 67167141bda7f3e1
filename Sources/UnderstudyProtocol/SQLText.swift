/// Quotes names and values for SQL and for the replication grammar. Works on scalars, because a quote followed by a
/// combining character is a different `Character` but still a quote.
package enum SQLText {
    /// A string: in single quotes, with inner quotes doubled. A backslash stands for itself: always in the replication
    /// grammar, and in SQL with standard_conforming_strings, the default.
    package static func literal(_ text: String) -> String {
        quote(text, with: "'")
    }

    /// Bytes, in SQL with standard_conforming_strings: `'\x0aff'::bytea`.
    package static func literal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text = Array("'\\x".utf8)
        text.reserveCapacity(2 * bytes.count + 11)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        text += "'::bytea".utf8
        return String(decoding: text, as: UTF8.self)
    }

    /// A name in the replication grammar: in double quotes, with inner quotes doubled.
    package static func quotedIdentifier(_ text: String) -> String {
        quote(text, with: "\"")
    }

    /// A name in SQL, quoted only if necessary.
    package static func identifier(_ text: String) -> String {
        let isPlain = text.unicodeScalars.enumerated().allSatisfy { index, scalar in
            switch scalar {
            case "a"..."z", "_": true
            case "0"..."9": index > 0
            default: false
            }
        }
        return isPlain && !text.isEmpty && !reserved.contains(text) ? text : quotedIdentifier(text)
    }

    private static func quote(_ text: String, with mark: Unicode.Scalar) -> String {
        var quoted = String.UnicodeScalarView([mark])
        for scalar in text.unicodeScalars {
            if scalar == mark { quoted.append(mark) }
            quoted.append(scalar)
        }
        quoted.append(mark)
        return String(quoted)
    }

    /// Source: PostgreSQL manual, "SQL Key Words": the reserved ones.
    private static let reserved = Set(
        """
        all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation \
        column concurrently constraint create cross current_catalog current_date current_role current_schema current_time \
        current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze \
        from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit \
        localtime localtimestamp natural none not notnull null offset on only or order outer overlaps placing primary public \
        references returning right select session_user similar some symmetric system_user table tablesample then to \
        trailing true union unique user using variadic verbose when where window with
        """.split(separator: " ").map(String.init))
}
