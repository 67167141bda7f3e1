import UnderstudyConfiguration

/// The option that maps a tablespace, as a word to paste into a shell.
enum MappingOption {
    /// - Parameters:
    ///   - old: A directory as the server tells it.
    ///   - new: Where it goes; nil for a word to replace.
    static func text(from old: String, to new: String? = nil) -> String {
        // What was no UTF-8 has been repaired, and names another directory.
        let known = old.unicodeScalars.contains("\u{FFFD}") ? "OLDDIR" : escaped(old)
        return ShellText.pasted("--tablespace-mapping=\(known)=\(new.map(escaped) ?? "NEWDIR")")
    }

    /// An equals sign that belongs to a directory has a backslash before it.
    private static func escaped(_ directory: String) -> String {
        var text = String.UnicodeScalarView()
        for scalar in directory.unicodeScalars {
            if scalar == "=" { text.append("\\") }
            text.append(scalar)
        }
        return String(text)
    }
}
