/// The shell command of `--on-segment`, with places for the file: `%f` for its name, `%p` for its path, `%%` for a percent sign.
/// They are put in as they are, as PostgreSQL does in archive_command. The name needs no quotes; the path does if the directory's
/// name does.
struct HookCommand: Sendable, Equatable {
    private enum Part: Sendable, Equatable {
        case text(String)
        case name, path
    }

    private var parts: [Part] = []

    static func parse(_ text: String) throws(UsageError) -> HookCommand {
        func flaw(_ words: String) -> UsageError {
            UsageError(
                "invalid value \"\(text)\" for option --on-segment: \(words)",
                hint: "Write %f for the file's name, %p for its path, and %% for a percent sign.")
        }
        guard !text.allSatisfy(\.isWhitespace) else { throw flaw("it is empty") }
        var command = HookCommand(), plain = "", scalars = text.unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            guard scalar == "%" else {
                plain.unicodeScalars.append(scalar)
                continue
            }
            switch scalars.popFirst() {
            case "%": plain += "%"
            case "f":
                command.parts += [.text(plain), .name]
                plain = ""
            case "p":
                command.parts += [.text(plain), .path]
                plain = ""
            case nil: throw flaw("it ends with %")
            case .some(let other): throw flaw("%\(other) has no meaning")
            }
        }
        command.parts.append(.text(plain))
        return command
    }

    /// The command for one file.
    func text(name: String, path: String) -> String {
        parts.map { part in
            switch part {
            case .text(let text): text
            case .name: name
            case .path: path
            }
        }.joined()
    }
}
