import UnderstudyConfiguration

/// The option that maps a tablespace, quoted for a shell.
enum MappingOption {
    /// - Parameters:
    ///   - old: A directory as the server reports it.
    ///   - new: Its new directory; nil for a placeholder.
    static func text(from old: String, to new: String? = nil) -> String {
        // Invalid UTF-8 has been replaced, so the text names another directory.
        let known = old.unicodeScalars.contains("\u{FFFD}") ? "OLDDIR" : escaped(old)
        return ShellText.pasted("--tablespace-mapping=\(known)=\(new.map(escaped) ?? "NEWDIR")")
    }

    /// Puts a backslash before an equals sign in a directory's name.
    private static func escaped(_ directory: String) -> String {
        var text = String.UnicodeScalarView()
        for scalar in directory.unicodeScalars {
            if scalar == "=" { text.append("\\") }
            text.append(scalar)
        }
        return String(text)
    }
}
