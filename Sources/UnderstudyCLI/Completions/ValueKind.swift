/// What a shell offers for the value of an option: told by the word that stands for it in the help text.
enum ValueKind: Equatable, Sendable {
    case words([String])
    case directory, file, user, host
    /// Nothing that a shell knows.
    case other

    init(_ word: String) {
        if let words = Self.fixedWords(word) {
            self = .words(words)
            return
        }
        self =
            switch word {
            case "DIRECTORY": .directory
            // A backup is a directory, or the file in an archive that tells of it.
            case "FILE", "MANIFEST", "PATH", "BACKUP": .file
            case "USER": .user
            case "HOST", "HOSTNAME": .host
            default: .other
            }
    }

    /// The words of `fast|spread`; nil for any other text.
    static func fixedWords(_ word: some StringProtocol) -> [String]? {
        let parts = word.split(separator: "|", omittingEmptySubsequences: false)
        let isFixed = parts.allSatisfy { part in
            !part.isEmpty && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        }
        return parts.count > 1 && isFixed ? parts.map { String($0) } : nil
    }
}
