import UnderstudyConfiguration
import UnderstudyConnection

/// Lines of files without their passwords, to be shown.
enum HiddenSecrets {
    private static let hidden = "********"

    /// A line of a configuration file: the secrets in primary_conninfo are hidden, or all of it if it cannot be read.
    static func settingLine(_ line: String) -> String {
        let text = line.drop { $0 == "#" || $0 == " " || $0 == "\t" }
        guard case .setting("primary_conninfo", let value)? = ConfigurationLine.read(String(text)).first else {
            // What the server could not read either may still begin like one.
            return text.lowercased().hasPrefix("primary_conninfo")
                ? "\(line[..<text.startIndex])primary_conninfo = '\(hidden)'" : line
        }
        var shown = hidden
        if let settings = settings(of: value) {
            shown = settings.description
            if shown == settings.conninfo { return line }
        }
        let setting = ConfigurationLine.setting(name: "primary_conninfo", value: shown).text.dropLast()
        return "\(line[..<text.startIndex])\(setting)"
    }

    /// The libpq here may be older than that of the server, and not know all keywords.
    private static func settings(of conninfo: String) -> ConnectionSettings? {
        if let parameters = try? ConnectionParameters(conninfo) {
            return ConnectionSettings(parameters.settings.map { .init($0.keyword, $0.value) })
        }
        guard let settings = ConnectionSettings(conninfo: conninfo) else { return nil }
        // What may be a secret is known by its keyword.
        return settings.settings.allSatisfy { LibpqKeyword.all.contains($0.keyword) } ? settings : nil
    }

    /// A line of a password file, whose last field is the password.
    static func passfileLine(_ line: String) -> String {
        if line.hasPrefix("#") || line.isEmpty { return line.isEmpty ? line : "# \(hidden)" }
        var fields = 0, isEscaped = false
        for index in line.unicodeScalars.indices {
            let scalar = line.unicodeScalars[index]
            if scalar == ":", !isEscaped {
                fields += 1
                if fields == 4 { return line[...index] + hidden }
            }
            isEscaped = scalar == "\\" && !isEscaped
        }
        return hidden
    }
}
