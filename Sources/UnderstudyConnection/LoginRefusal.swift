import UnderstudyPlatform

/// Parses libpq's message about a failed login.
///
/// libpq has no fields for it, only text. With PQERRORS_VERBOSE a server's lines read
/// `connection to server at "h", port 1 failed: FATAL:  28P01: password authentication failed`.
struct LoginRefusal: Equatable {
    /// The text without the SQLSTATE and the location in the server's source code, and without what ``server`` has as detail
    /// and hint.
    var text: String
    /// The last refusal by a server; nil if no server refused.
    var server: ServerMessage?

    /// Compares bytes: a text that begins with a combining character makes one character with the space before it.
    init(_ verbose: String) {
        var kept: [Substring] = []
        for line in verbose.lines {
            if line.afterPrefix("LOCATION:  ") != nil { continue }
            if let found = Self.severityStateAndMessage(line) {
                kept.append("\(found.before)\(found.severity):  \(found.message)")
                server = ServerMessage(severity: found.severity, sqlState: found.state, message: found.message)
            } else {
                if let detail = line.afterPrefix("DETAIL:  ") { server?.detail = detail }
                if let hint = line.afterPrefix("HINT:  ") { server?.hint = hint }
                kept.append(line)
            }
        }
        // They are fields of their own.
        let fields = [server?.detail.map { "DETAIL:  \($0)" }, server?.hint.map { "HINT:  \($0)" }]
        while let last = kept.last, fields.contains(String(last)) { kept.removeLast() }
        text = kept.joined(separator: "\n")
    }

    /// Finds `SEVERITY:  XXXXX: message`, in any language of the severity.
    private static func severityStateAndMessage(
        _ line: Substring
    ) -> (before: Substring, severity: String, state: String, message: String)? {
        let separator = ":  ".utf8
        guard let colon = line.utf8.indices.first(where: { line.utf8[$0...].starts(with: separator) }) else {
            return nil
        }
        let rest = line.utf8[colon...].dropFirst(separator.count), state = rest.prefix(5)
        guard state.count == 5, state.allSatisfy(\.isDigitOrCapital),
            let message = Substring(rest[state.endIndex...]).afterPrefix(": ")
        else { return nil }
        let head = line[..<colon]
        let start = head.utf8.lastIndex(of: UInt8(ascii: " ")).map { head.utf8.index(after: $0) } ?? head.startIndex
        return (head[..<start], String(head[start...]), String(Substring(state)), message)
    }
}

extension Substring {
    /// What follows a prefix; nil if the text begins otherwise.
    fileprivate func afterPrefix(_ prefix: StaticString) -> String? {
        let prefix = prefix.description.utf8
        guard utf8.starts(with: prefix) else { return nil }
        return String(Substring(utf8.dropFirst(prefix.count)))
    }
}

extension UInt8 {
    fileprivate var isDigitOrCapital: Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self)
    }
}
