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

    /// The line as the server reads it, with its newline.
    package var text: String {
        switch self {
        case .setting(let name, let value): ConfigurationText.line(name, value)
        case .include(let file): "include \(ConfigurationText.quoted(file))\n"
        case .includeDirectory(let directory): "include_dir \(ConfigurationText.quoted(directory))\n"
        }
    }

    /// Whether a name begins a line that is no setting.
    package static func isDirective(_ name: String) -> Bool {
        ["include", "include_if_exists", "include_dir"].contains(name)
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
            // Bytes: an escape may stand for a part of a character.
            var value: [UInt8] = []
            while let scalar = rest.popFirst() {
                switch scalar {
                case "'":
                    // A doubled quote stands for itself.
                    guard rest.first == "'" else { return String(decoding: value, as: UTF8.self) }
                    rest.removeFirst()
                    value.append(UInt8(ascii: "'"))
                case "\\":
                    guard let escaped = escaped() else { return nil }
                    value += escaped
                default: value += Array(scalar.utf8)
                }
            }
            return nil
        }

        private mutating func escaped() -> [UInt8]? {
            let digits = rest.prefix(3).prefix { ("0"..."7").contains($0) }
            if !digits.isEmpty {
                rest = rest[digits.endIndex...]
                return [UInt8(truncatingIfNeeded: Int(String(digits), radix: 8) ?? 0)]
            }
            switch rest.popFirst() {
            case "b": return [8]
            case "f": return [12]
            case "n": return [10]
            case "r": return [13]
            case "t": return [9]
            case let other: return other.map { Array($0.utf8) }
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
