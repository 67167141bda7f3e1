/// Lines of a configuration file.
enum ConfigurationText {
    /// `name = 'value'` with its newline.
    static func line(_ name: String, _ value: String) -> String {
        "\(name) = \(quoted(value))\n"
    }

    /// A value as the server's configuration files take it. It stays on one line whatever is in it.
    ///
    /// Source: PostgreSQL manual, "Setting Parameters via the Configuration File", and `guc-file.l`, whose strings
    /// know backslash escapes and no line breaks.
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
