/// The text of a postgresql.conf, whose settings can be changed. All other bytes stay.
///
/// Source: PostgreSQL manual, "Setting Parameters via the Configuration File": the last line of a name counts.
package struct SettingsFile: Sendable, Hashable {
    /// Each with its line end; the last may lack it.
    private var lines: [[UInt8]] = []

    package init(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? rest.endIndex
            lines.append(Array(rest[..<end]))
            rest = rest[end...]
        }
    }

    package var bytes: [UInt8] { lines.flatMap(\.self) }

    /// What the file itself sets; nil if it does not, or if a file that it includes further below may set it.
    package func value(of name: String) -> String? {
        place(of: name).map { $0.value }
    }

    /// Sets a value in the line that has it, whose comment stays, or in a new one at the end. There it counts whatever
    /// included files set.
    ///
    /// - Returns: Whether the file has changed.
    @discardableResult
    package mutating func set(_ name: String, _ value: String) -> Bool {
        let text = Array(ConfigurationText.line(name, value).utf8)
        if let (index, old) = place(of: name) {
            guard old != value else { return false }
            let line = lines[index], indent = line.prefix { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
            lines[index] = indent + text.dropLast() + Self.rest(of: line)
        } else {
            if let last = lines.last, last.last != UInt8(ascii: "\n") { lines[lines.count - 1].append(10) }
            lines.append(text)
        }
        return true
    }

    private func place(of name: String) -> (index: Int, value: String)? {
        for index in lines.indices.reversed() {
            switch ConfigurationLine.read(String(decoding: lines[index], as: UTF8.self)).first {
            case .setting(name, let value): return (index, value)
            case .include, .includeDirectory: return nil
            case .setting, nil: continue
            }
        }
        return nil
    }

    /// What stands behind the value: blanks, a comment, the line end.
    private static func rest(of line: [UInt8]) -> ArraySlice<UInt8> {
        var isInQuotes = false, isEscaped = false, end = 0
        scan: for (index, byte) in line.enumerated() {
            switch byte {
            case _ where isEscaped: isEscaped = false
            case UInt8(ascii: "\\") where isInQuotes: isEscaped = true
            case UInt8(ascii: "'"): isInQuotes.toggle()
            case UInt8(ascii: "#") where !isInQuotes: break scan
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
                if !isInQuotes { continue }
            default: break
            }
            end = index + 1
        }
        return line[end...]
    }
}
