import Glibc
import UnderstudyCompression
import UnderstudyConfiguration
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Why an archive cannot tell whether it has a file.
extension RestoreLook {
    func empty(_ paths: [String]) -> UnderstudyError {
        UnderstudyError(
            .wal, "archive \"\(paths.joined(separator: "\", \""))\" holds no WAL",
            detail: "The file system that holds the archive may not be mounted.", hint: "Mount it.")
    }

    var lostHistory: UnderstudyError {
        UnderstudyError(
            .wal, "history file \"\(name)\" is missing in the archive, which holds segments of that timeline",
            // It takes the number behind the last one of which there is a history.
            detail: recovery == .standby
                ? "A standby that is promoted now gives its own timeline a number that is taken in the archive." : nil,
            hint:
                "Fetch the file from pg_wal of a server that is or was on that timeline. If it is lost, move the segments of that timeline out of the archive."
        )
    }

    /// - Parameter path: Of a file with a suffix that is not known.
    func unknown(_ path: String) -> UnderstudyError {
        let suffixes = Compression.Method.allCases.map(\.fileSuffix)
        return UnderstudyError(
            .wal, "the archive has \"\(name)\" only as \"\(path)\", which cannot be read",
            detail:
                "Files are read without a suffix, and with \(suffixes.dropLast().joined(separator: ", ")) or \(suffixes.last ?? "").",
            hint:
                "\(Self.unpacking(path, name)) If it holds nothing that is needed, move it out of the archive.")
    }

    private static func unpacking(_ path: String, _ name: String) -> String {
        let programs = [".xz": "xz", ".lzma": "xz", ".bz2": "bzip2"]
        let program = programs.first { path.hasSuffix("\(name)\($0.key)") }?.value
        return program.map { "Unpack it beside itself: \($0) -dk \(ShellText.pasted(path))" }
            ?? "Unpack or decrypt it beside itself, as \"\(name)\"."
    }

    func gap(_ survey: RestoreSurvey, isIncomplete: Bool) -> UnderstudyError {
        UnderstudyError(
            .wal,
            isIncomplete
                ? "segment \"\(name)\" is not complete in the archive, which holds newer ones of its timeline"
                : "segment \"\(name)\" is missing in the archive, which holds WAL from behind it",
            detail: survey.note.map { "The server had removed WAL before it was received: see the note \"\($0)\"." }
                ?? survey.newer.map { "The next one that it has is \"\($0)\"." },
            hint:
                "Fetch the segment from another archive, or from pg_wal of the server. If it is lost, recovery cannot go further: set a recovery target before it, or take a base backup from behind it."
        )
    }
}

extension UnderstudyError {
    /// - Parameter error: Of a file of the archive, or of the server's directory.
    init(restoring error: WALDestinationError) {
        self.init(error)
        // What is wrong with the content has no cause.
        if error.cause == nil { code = .wal }
        if let file = error.file { hint = Self.hint(for: file) ?? hint }
    }

    /// - Parameter error: Of a directory of the archive, or of a name in it.
    init(unreadable error: FileIOError) {
        self.init(error)
        hint =
            Self.hint(for: error) ?? hint
            ?? "Mount the file system that holds the archive, or correct the name of the directory."
    }

    private static func hint(for error: FileIOError) -> String? {
        if error.attempt.contains("symbolic link") {
            return "Mount the file system that the link leads to, or put the file in the place of the link."
        }
        if error.attempt == "could not read file", [EISDIR, EINVAL].contains(error.number) {
            return
                "Regular files are read, and symbolic links to them: move \(ShellText.pasted(error.path)) out of the archive."
        }
        return switch error.number {
        case EACCES, EPERM:
            error.remedy.map { $0.replacing("FILE", with: ShellText.pasted(error.path)) }
        default: nil
        }
    }
}
