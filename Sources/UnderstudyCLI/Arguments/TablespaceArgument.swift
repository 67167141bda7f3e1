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

    /// The path without doubled or trailing slashes and without `.`, as the server reports tablespace locations.
    private static func canonical(_ path: String) -> String {
        "/" + path.pathComponents.filter { $0 != "." }.joined(separator: "/")
    }
}
