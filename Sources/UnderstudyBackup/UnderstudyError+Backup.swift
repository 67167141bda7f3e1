import UnderstudyBackupFormat
import UnderstudyCompression
import UnderstudyConfiguration
package import UnderstudyCore
import UnderstudyPlatform

extension UnderstudyError {
    init(_ error: BackupFormatError) {
        if error.code == .memberTooLong {
            self.init(
                .server, "could not archive a file of the server: \(error.message)", detail: error.detail,
                hint: "Take the backup in plain format, or give the file a shorter name there.", cause: error)
            return
        }
        self.init(
            .protocolViolation, "could not read what the server sent: \(error.message)", detail: error.detail,
            cause: error)
    }

    /// For an archive that the server has compressed.
    init(_ error: CompressionError) {
        self.init(.protocolViolation, "could not read what the server sent: \(error.message)", cause: error)
    }

    package init(_ refusal: OwnedDirectory.Refusal, what: String, trust: TrustedUsers = TrustedUsers()) {
        switch refusal {
        case .notEmpty(let path):
            self.init(
                .target, "\(what) \"\(path)\" exists but is not empty",
                hint: Self.mountedWAL(in: path).map { Self.mountHint($0) }
                    ?? (Self.isNewFileSystem(path)
                        ? "It is a mount point with nothing but lost+found: name a directory below it, such as \"\(path)/data\"."
                        : "Name a directory that does not exist yet, or empty this one."))
        case .unfinished(let directory): self.init(directory, what: what, trust: trust)
        case .marked(let directory): self.init(takenBy: directory, what: what, trust: trust)
        case .notADirectory(let path):
            self.init(
                .target, "\"\(path)\" is not a directory",
                hint: "Name a directory that does not exist yet, or an empty one.")
        case .failed(let attempt, let path, let number):
            self.init(FileIOError(attempt, path, number: number), else: .target)
        }
    }

    private static func mountHint(_ path: String) -> String {
        let rest =
            isNewFileSystem(path)
            ? "remove what mkfs(8) has made there: rmdir \(ShellText.pasted("\(path)/lost+found"))" : "empty it"
        return
            "On \"\(path)\" a file system is mounted, which is taken for the WAL if it is empty and no other place is named: \(rest)"
    }

    /// The WAL directory, if it is all there is, and a file system is mounted on it.
    private static func mountedWAL(in path: String) -> String? {
        guard let directory = try? ConfinedDirectory(path: path), (try? directory.count(upTo: 2)) == 1 else {
            return nil
        }
        return UnfinishedDirectory.namesOfWAL.first { directory.isMount($0) }.map { "\(path)/\($0)" }
    }

    /// Whether a directory holds nothing but what mkfs(8) has made there.
    private static func isNewFileSystem(_ path: String) -> Bool {
        guard let directory = try? ConfinedDirectory(path: path), (try? directory.count(upTo: 2)) == 1 else {
            return false
        }
        return directory.exists("lost+found")
    }
}
