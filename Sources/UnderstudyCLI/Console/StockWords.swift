import Glibc
import Understudy
import UnderstudyPlatform

/// What pg_basebackup says when a backup fails, and pg_receivewal, where this program says it in another way: callers look for its words.
///
/// Our hint stays, on a line of its own behind.
struct StockWords {
    private let plan: BasebackupPlan
    /// The directory as it was given, and as messages have it.
    private let directory: (given: String, absolute: String)?
    private let wasThere: Bool

    /// Before the run.
    init(_ plan: BasebackupPlan) {
        self.plan = plan
        switch plan.target {
        case .directory(let path), .tarFiles(let path): directory = (path, absolutePath(path))
        default: directory = nil
        }
        wasThere = directory.map { unsafe access($0.absolute, F_OK) == 0 } ?? false
    }

    /// Prints the error, and what became of the directory.
    ///
    /// - Parameter phase: What the run was doing.
    func tell(_ error: UnderstudyError, in phase: BackupProgress.Phase?, to console: Console) {
        var error = error
        // In a process of its own, there.
        let isOfWAL = error.isOfWALStream || error.command == "START_REPLICATION"
        error.message = shortened(Self.message(error, in: phase))
        console.error(error, following: isOfWAL ? "background process terminated unexpectedly" : nil)
        tellRemoval(error, in: phase, to: console)
    }

    // MARK: - Errors

    private static let badString = "invalid connection string: "
    private static let notADirectory = " is not a directory"

    private static func message(_ error: UnderstudyError, in phase: BackupProgress.Phase?) -> String {
        let message = unmarked(error.message)
        if let answer = error.serverText {
            if error.isOfWALStream { return "unexpected termination of replication stream: \(answer)" }
            if let refusal = refusal(error) { return refusal }
            if let phase, [.copying, .verifying].contains(phase), error.code != .damagedPages {
                return "backup failed: \(answer)"
            }
        }
        if let flaw = connectionString(message) { return flaw }
        if message.hasSuffix(notADirectory) {
            return "could not access directory \(message.dropLast(notADirectory.count)): Not a directory"
        }
        return message.hasPrefix("WAL directory \"") ? String(message.dropFirst("WAL ".count)) : message
    }

    /// The same for what pg_receivewal says.
    static func ofReceiver(_ error: UnderstudyError) -> UnderstudyError {
        var error = error
        error.message = refusal(error) ?? connectionString(error.message) ?? unmarked(error.message)
        return error
    }

    private static func unmarked(_ message: String) -> String {
        message.replacing(UnderstudyError.serverMark, with: "")
    }

    /// A command that the server refused.
    private static func refusal(_ error: UnderstudyError) -> String? {
        guard let answer = error.serverText, let command = error.command else { return nil }
        // The stock tool's blanks.
        let text = command.replacing(" (RESERVE_WAL)", with: " ( RESERVE_WAL)")
            .replacing(" PHYSICAL RESERVE_WAL", with: " PHYSICAL  RESERVE_WAL")
        return "could not send replication command \"\(text)\": \(answer)"
    }

    private static func connectionString(_ message: String) -> String? {
        message.hasPrefix(badString) ? String(message.dropFirst(badString.count)) : nil
    }

    /// Names the directory as it was given.
    private func shortened(_ message: String) -> String {
        guard let directory else { return message }
        return message.replacing("\"\(directory.absolute)", with: "\"\(directory.given)")
    }

    // MARK: - Removal

    /// Whether the stock tool notices only after it has made its directory what is noticed here before anything else.
    private func isSeenLater(_ error: UnderstudyError) -> Bool {
        let places = [plan.options.walDirectory, plan.options.incrementalManifest].compactMap { $0 }
        return error.code == .target && places.contains { error.message.contains("\"\($0)\"") }
    }

    /// The stock tool makes its directory as soon as it is connected.
    private func tellRemoval(_ error: UnderstudyError, in phase: BackupProgress.Phase?, to console: Console) {
        guard let directory, error.code != .damagedPages else { return }
        let hadBegun = phase.map { $0 != .connecting } ?? false || isSeenLater(error)
        guard hadBegun && error.code != .cancelled || [.server, .slot].contains(error.code) else { return }
        guard plan.options.cleanUp else {
            return console.notice("data directory \"\(directory.given)\" not removed at user's request")
        }
        let what = wasThere ? "contents of data directory" : "data directory"
        console.notice("removing \(what) \"\(directory.given)\"")
    }
}
