import UnderstudyPlatform

/// Parses libpq's message about a failed login.
///
/// libpq has no fields for it, only text. With PQERRORS_VERBOSE a server's lines read
/// `connection to server at "h", port 1 failed: FATAL:  28P01: password authentication failed`.
struct LoginRefusal: Equatable {
    /// The text without the SQLSTATE and the location in the server's source code.
    var text: String
    /// The last refusal by a server; nil if no server refused.
    var server: ServerMessage?

    init(_ verbose: String) {
        var lines: [String] = []
        for line in verbose.lines.map(String.init) {
            if line.hasPrefix("LOCATION:  ") { continue }
            if let found = Self.severityStateAndMessage(line) {
                lines.append("\(found.before)\(found.severity):  \(found.message)")
                server = ServerMessage(severity: found.severity, sqlState: found.state, message: found.message)
            } else {
                if line.hasPrefix("DETAIL:  ") { server?.detail = String(line.dropFirst(9)) }
                if line.hasPrefix("HINT:  ") { server?.hint = String(line.dropFirst(7)) }
                lines.append(line)
            }
        }
        text = lines.joined(separator: "\n")
    }

    /// Finds `SEVERITY:  XXXXX: message`, in any language of the severity.
    private static func severityStateAndMessage(
        _ line: String
    ) -> (before: String, severity: String, state: String, message: String)? {
        guard let separator = line.firstRange(of: ":  ") else { return nil }
        let rest = line[separator.upperBound...]
        let state = rest.prefix(5)
        guard state.count == 5, state.allSatisfy({ $0.isASCII && ($0.isNumber || $0.isUppercase) }),
            rest.dropFirst(5).hasPrefix(": ")
        else { return nil }
        let head = line[..<separator.lowerBound]
        let start = head.lastIndex(of: " ").map { head.index(after: $0) } ?? head.startIndex
        return (String(head[..<start]), String(head[start...]), String(state), String(rest.dropFirst(7)))
    }
}

extension StringProtocol {
    fileprivate func firstRange(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
