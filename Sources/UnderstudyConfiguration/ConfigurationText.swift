/// Formats lines of a configuration file.
package enum ConfigurationText {
    /// The line without its newline.
    package static func setting(_ name: String, _ value: String) -> String { String(line(name, value).dropLast()) }

    /// `name = 'value'` with its newline.
    static func line(_ name: String, _ value: String) -> String {
        "\(name) = \(quoted(value))\n"
    }

    /// Quotes a value for the server's configuration files. The result is always a single line.
    ///
    /// Source: PostgreSQL manual, "Setting Parameters via the Configuration File", and `guc-file.l`, whose strings
    /// allow backslash escapes but no line breaks.
    static func quoted(_ value: String) -> String {
        var text = "'"
        for scalar in value.unicodeScalars {
            switch scalar {
            case "'": text += "''"
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "'"
    }
}
