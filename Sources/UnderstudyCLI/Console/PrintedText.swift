import Understudy

/// Makes text safe to print. Text from outside of this program (a server's messages, names of files and roles) may
/// contain terminal control characters, and line ends that make one message look like two.
///
/// All output passes through here once, when it is printed. Control characters (C0, DEL, C1) and invisible characters
/// that change how a line reads are shown as their UTF-8 bytes, `\x1b`. Backslashes stay as they are, so that text
/// escaped before, such as file names that are not UTF-8, is not escaped again. Tabs stay.
enum PrintedText {
    /// The indentation of all lines of a text but the first.
    static let indent = "    "

    /// Text of one or more lines: those after the first are indented, so that none looks like a separate message.
    ///
    /// - Parameter asLibpq: Not those that only libpq's messages have: they begin with a tab, or with the name of a field of
    ///   a server's error.
    static func message(_ text: String, asLibpq: Bool = false) -> String {
        guard text.unicodeScalars.contains(where: { $0 == "\n" || $0.isEscapedInText }) else { return text }
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(escaped)
        // A line end at the end of a text begins no new line.
        let last = lines.lastIndex { !$0.isEmpty } ?? 0
        return lines[...last].enumerated().map { index, line in
            index == 0 || line.isEmpty || (asLibpq && Self.fields.contains { line.hasPrefix($0) })
                ? line : indent + line
        }.joined(separator: "\n")
    }

    private static let fields = ["\t", "DETAIL:  ", "HINT:  "]

    /// Text on a single line: line ends are escaped too.
    static func line(_ text: String) -> String {
        escaped(text.unicodeScalars[...], lineEnds: true)
    }

    /// Text on a single line, with a space for each line end or tab and the spaces beside it.
    static func words(_ text: String) -> String {
        text.unicodeScalars.split { $0.properties.isWhitespace }.map { String($0) }.joined(separator: " ")
    }

    /// Lines that this program has laid out itself, without indentation.
    static func lines(_ text: String) -> String {
        text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(escaped).joined(
            separator: "\n")
    }

    private static func escaped(_ line: Substring.UnicodeScalarView) -> String {
        escaped(line, lineEnds: false)
    }

    private static func escaped(_ text: Substring.UnicodeScalarView, lineEnds: Bool) -> String {
        var shown = String.UnicodeScalarView()
        for scalar in text {
            if scalar.isEscapedInText || (lineEnds && scalar == "\n") {
                for byte in scalar.utf8 {
                    shown.append(contentsOf: (byte < 16 ? "\\x0" : "\\x").unicodeScalars)
                    shown.append(contentsOf: String(byte, radix: 16).unicodeScalars)
                }
            } else {
                shown.append(scalar)
            }
        }
        return String(shown)
    }
}

extension Unicode.Scalar {
    /// Tabs and line ends are part of a text.
    fileprivate var isEscapedInText: Bool {
        isHidden && self != "\n" && self != "\t"
    }
}
