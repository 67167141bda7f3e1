/// A setting or include directive in a server's configuration file.
package enum ConfigurationLine: Hashable, Sendable {
    /// The name in lower case, and the value without quotes.
    case setting(name: String, value: String)
    /// A file whose lines replace this one. A relative path is relative to the directory of the including file.
    case include(String)
    /// A directory whose files replace this line, in the order of their names. Only names that end in `.conf` and do
    /// not begin with a dot count.
    case includeDirectory(String)

    /// Parses the lines of a file. Lines that the server would refuse are left out: it does not start with such a file
    /// anyway.
    ///
    /// Source: PostgreSQL manual, "Setting Parameters via the Configuration File", and `guc-file.l`.
    package static func read(_ text: String) -> [ConfigurationLine] {
        var lines: [ConfigurationLine] = []
        for line in text.unicodeScalars.split(separator: "\n") {
            var scanner = Scanner(rest: line)
            guard let name = scanner.name()?.lowercased() else { continue }
            scanner.skipEquals()
            guard let value = scanner.value(), scanner.isAtEnd else { continue }
            switch name {
            case "include", "include_if_exists": lines.append(.include(value))
            case "include_dir": lines.append(.includeDirectory(value))
            default: lines.append(.setting(name: name, value: value))
            }
        }
        return lines
    }

    /// Whether a text can be the name of a setting: an identifier, or two with a dot between them.
    ///
    /// Source: ID and QUALIFIED_ID, `guc-file.l`.
    package static func isName(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return (1...2).contains(parts.count)
            && parts.allSatisfy { part in
                guard let first = part.first, first == UInt8(ascii: "_") || isLetter(first) else { return false }
                return part.allSatisfy { isLetter($0) || "_$0123456789".utf8.contains($0) }
            }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private struct Scanner {
        var rest: Substring.UnicodeScalarView

        /// An unquoted word, as names and most values are.
        private mutating func word(_ isPart: (Unicode.Scalar) -> Bool) -> String? {
            skipSpace()
            let word = rest.prefix(while: isPart)
            rest = rest[word.endIndex...]
            return word.isEmpty ? nil : String(word)
        }

        mutating func name() -> String? {
            word { $0.isLetterOrDigit || $0 == "." }
        }

        mutating func skipEquals() {
            skipSpace()
            if rest.first == "=" { rest.removeFirst() }
        }

        mutating func value() -> String? {
            skipSpace()
            guard rest.first == "'" else { return word { $0.isLetterOrDigit || "-+._:/".unicodeScalars.contains($0) } }
            rest.removeFirst()
            var value = String.UnicodeScalarView()
            while let scalar = rest.popFirst() {
                switch scalar {
                case "'":
                    // A doubled quote stands for itself.
                    guard rest.first == "'" else { return String(value) }
                    rest.removeFirst()
                    value.append("'")
                case "\\":
                    guard let escaped = escaped() else { return nil }
                    value.append(escaped)
                default: value.append(scalar)
                }
            }
            return nil
        }

        private mutating func escaped() -> Unicode.Scalar? {
            let digits = rest.prefix(3).prefix { ("0"..."7").contains($0) }
            if !digits.isEmpty {
                rest = rest[digits.endIndex...]
                return UInt8(truncatingIfNeeded: Int(String(digits), radix: 8) ?? 0).asScalar
            }
            switch rest.popFirst() {
            case "b": return "\u{8}"
            case "f": return "\u{c}"
            case "n": return "\n"
            case "r": return "\r"
            case "t": return "\t"
            case let other: return other
            }
        }

        /// Whether the rest of the line is empty or a comment.
        var isAtEnd: Bool {
            mutating get {
                skipSpace()
                return rest.isEmpty || rest.first == "#"
            }
        }

        private mutating func skipSpace() {
            rest = rest[rest.prefix { " \t\r\u{b}\u{c}".unicodeScalars.contains($0) }.endIndex...]
        }
    }
}

extension Unicode.Scalar {
    /// Bytes beyond ASCII count as letters.
    fileprivate var isLetterOrDigit: Bool {
        switch self {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "$": true
        default: value > 127
        }
    }
}

extension UInt8 {
    fileprivate var asScalar: Unicode.Scalar { Unicode.Scalar(self) }
}
