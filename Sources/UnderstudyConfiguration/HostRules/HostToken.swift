/// A word of pg_hba.conf: a database, a role, an address, a method.
///
/// Source: `next_token` and `next_field_expand`, hba.c.
package struct HostToken: Sendable, Hashable {
    package var text: String
    /// Whether it begins with a quote: then it is a name, and no keyword.
    package var isQuoted: Bool

    package init(_ text: String, isQuoted: Bool = false) {
        self.text = text
        self.isQuoted = isQuoted
    }

    func isKeyword(_ word: String) -> Bool { !isQuoted && text == word }

    /// Whether the names are in another file.
    var isFile: Bool { !isQuoted && text.utf8.count > 1 && text.utf8.first == UInt8(ascii: "@") }

    /// The role whose members are meant; nil if it is none.
    var group: String? {
        !isQuoted && text.utf8.first == UInt8(ascii: "+") ? String(text.unicodeScalars.dropFirst()) : nil
    }

    /// The regular expression that it is, quoted or not (from 16); nil if it is none.
    func pattern(_ version: Int) -> String? {
        version >= HostRule.firstWithPatterns && text.utf8.first == UInt8(ascii: "/")
            ? String(text.unicodeScalars.dropFirst()) : nil
    }

    /// A name as pg_hba.conf takes it: quoted if it is not plain or would be a keyword. nil if it cannot be written there: it
    /// has a line end, or begins with a slash, which makes it a pattern even in quotes (from 16).
    ///
    /// - Parameter version: The server's; nil if it is not known.
    package static func word(_ name: String, version: Int? = nil) -> String? {
        let isPattern = name.utf8.first == UInt8(ascii: "/") && (version ?? Int.max) >= HostRule.firstWithPatterns
        // From 14 on, a backslash at the end of a line continues it, in quotes, too; a quote follows it here.
        guard !name.isEmpty, !isPattern, !name.utf8.contains(where: { [0, 10, 13].contains($0) }) else { return nil }
        let isPlain = name.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_", "-", ".": true
            default: false
            }
        }
        if isPlain && !keywords.contains(name) { return name }
        var quoted = "\""
        for scalar in name.unicodeScalars {
            if scalar == "\"" { quoted += "\"" }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "\""
    }

    private static let keywords: Set<String> = ["all", "sameuser", "samerole", "samegroup", "replication"]
}

/// Cuts a line, continued lines joined, into fields of one or more tokens.
struct HostTokenizer {
    private let bytes: [UInt8]
    private var index = 0

    static func fields(_ line: [UInt8]) -> [[HostToken]] {
        var tokenizer = HostTokenizer(bytes: line), fields: [[HostToken]] = []
        while tokenizer.index < line.count {
            let field = tokenizer.nextField()
            if !field.isEmpty { fields.append(field) }
        }
        return fields
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Tokens with a comma directly behind each but the last.
    private mutating func nextField() -> [HostToken] {
        var field: [HostToken] = []
        while let (token, hasComma) = nextToken() {
            field.append(token)
            if !hasComma { break }
        }
        return field
    }

    private mutating func nextToken() -> (HostToken, hasComma: Bool)? {
        while index < bytes.count, Self.isBlank(bytes[index]) || bytes[index] == UInt8(ascii: ",") { index += 1 }
        var text: [UInt8] = []
        var isInQuotes = false, wasQuote = false, hasQuote = false, isQuoted = false, hasComma = false
        while index < bytes.count {
            let byte = bytes[index], isQuote = byte == UInt8(ascii: "\"")
            if Self.isBlank(byte) && !isInQuotes { break }
            if byte == UInt8(ascii: "#") && !isInQuotes {
                index = bytes.count
                break
            }
            if byte == UInt8(ascii: ",") && !isInQuotes {
                hasComma = true
                break
            }
            if !isQuote || wasQuote { text.append(byte) }
            // A doubled quote stands for one.
            wasQuote = isInQuotes && isQuote ? !wasQuote : false
            if isQuote {
                isInQuotes.toggle()
                hasQuote = true
                if text.isEmpty { isQuoted = true }
            }
            index += 1
        }
        guard hasQuote || !text.isEmpty else { return nil }
        return (HostToken(String(decoding: text, as: UTF8.self), isQuoted: isQuoted), hasComma)
    }

    /// pg_isblank.
    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
    }
}
