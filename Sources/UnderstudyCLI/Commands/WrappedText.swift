/// Lays text out in lines for a terminal of 80 columns.
enum WrappedText {
    static let columns = 80

    /// Words in as few lines as hold them.
    static func lines(_ text: some StringProtocol, width: Int = columns) -> [String] {
        var lines: [String] = []
        for word in text.split(whereSeparator: \.isWhitespace) {
            if let last = lines.last, last.count + 1 + word.count <= width {
                lines[lines.count - 1] += " \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }

    /// A command line, broken before options as a shell takes it.
    static func command(_ line: String) -> String {
        guard line.count + 2 > columns else { return "  \(line)" }
        var lines = ["  "], isFirst = true
        for part in line.replacing(" -", with: "\n-").split(separator: "\n") {
            // Room for the backslash.
            if lines[lines.count - 1].count + 1 + part.count + 2 > columns {
                lines[lines.count - 1] += " \\"
                lines.append("      \(part)")
            } else {
                lines[lines.count - 1] += isFirst ? part : " \(part)"
            }
            isFirst = false
        }
        return lines.joined(separator: "\n")
    }
}
