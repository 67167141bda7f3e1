import Understudy
import UnderstudyPlatform

/// The value of `--tablespace-mapping`: `OLDDIR=NEWDIR`, where `\=` stands for an equals sign in a path.
enum TablespaceArgument {
    static func parse(_ text: String) throws(UsageError) -> BaseBackup.TablespaceMapping {
        var parts = [""]
        // By scalars: a scalar after an equals sign may combine with it.
        var scalars = text.unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            if scalar == "\\", scalars.first == "=" {
                scalars.removeFirst()
                parts[parts.count - 1].unicodeScalars.append("=")
            } else if scalar == "=" {
                parts.append("")
            } else {
                parts[parts.count - 1].unicodeScalars.append(scalar)
            }
        }
        guard parts.count <= 2 else { throw UsageError("multiple \"=\" signs in tablespace mapping") }
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw UsageError("invalid tablespace mapping format \"\(text)\", must be \"OLDDIR=NEWDIR\"")
        }
        guard parts[0].isAbsolutePath else {
            throw UsageError("old directory is not an absolute path in tablespace mapping: \(parts[0])")
        }
        guard parts[1].isAbsolutePath else {
            throw UsageError("new directory is not an absolute path in tablespace mapping: \(parts[1])")
        }
        return BaseBackup.TablespaceMapping(from: canonical(parts[0]), to: canonical(parts[1]))
    }

    /// What ``parse(_:)`` takes apart.
    ///
    /// - Parameters:
    ///   - old: A directory as the server reports it.
    ///   - new: Its new directory; nil for a placeholder.
    static func text(from old: String, to new: String?) -> String {
        // Invalid UTF-8 has been replaced, so the text names another directory.
        let known = old.unicodeScalars.contains("\u{FFFD}") ? "OLDDIR" : escaped(old)
        return "\(known)=\(new.map(escaped) ?? "NEWDIR")"
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

    /// The path without doubled or trailing slashes and without `.`, as the server reports tablespace locations.
    private static func canonical(_ path: String) -> String {
        "/" + path.pathComponents.filter { $0 != "." }.joined(separator: "/")
    }
}
