/// Names and values in SQL and in the replication grammar. They are looked at scalar by scalar: a quote with a combining
/// character behind it is one `Character`, and a quote all the same.
package enum SQLText {
    /// A string: single quotes, doubled inside. With standard_conforming_strings, as by default, a backslash stands for
    /// itself; the replication grammar knows nothing else.
    package static func literal(_ text: String) -> String {
        quote(text, with: "'")
    }

    /// A name in the replication grammar: double quotes, doubled inside.
    package static func quotedIdentifier(_ text: String) -> String {
        quote(text, with: "\"")
    }

    /// A name in SQL, without quotes where it needs none.
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

    /// Source: PostgreSQL manual, "SQL Key Words", reserved.
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
