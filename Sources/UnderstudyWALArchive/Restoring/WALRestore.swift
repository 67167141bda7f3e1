public import Logging
public import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Hands the files of a WAL archive to a server in recovery, as its `restore_command` does.
///
/// ```swift
/// let restore = WALRestore(from: ["/srv/wal"])
/// switch try await restore.restore("000000010000000000000003", to: "pg_wal/RECOVERYXLOG") {
/// case .restored: exit(0)
/// case .absent: exit(1)
/// case .doubtful(let error): print(error); exit(200)
/// default: exit(200)
/// }
/// ```
///
/// Guarantees: the file has its name only when it is complete and on stable storage. "Not there" means that the archive
/// can be read, and that nothing in it contradicts that its WAL ends there: a server then ends recovery.
///
/// Source: PostgreSQL manual, "Recovering Using a Continuous Archive Backup".
public struct WALRestore: Sendable {
    /// What may be set; each has a default.
    public struct Options: Sendable, Equatable {
        /// Whether files that were set aside, because they are of another history than the server's, are handed out, and
        /// preferred to others.
        public var servesDiverged: Bool
        /// How long to try again where the archive cannot tell; nil for as long as it takes.
        public var retryTime: Duration?
        /// How many segments ``WALReadAhead`` unpacks ahead.
        public var readAhead: Int

        /// Each parameter is the property of its name.
        public init(servesDiverged: Bool = false, retryTime: Duration? = .zero, readAhead: Int = 0) {
            self.servesDiverged = servesDiverged
            self.retryTime = retryTime
            self.readAhead = readAhead
        }
    }

    /// What came of it.
    @nonexhaustive
    public enum Outcome: Sendable, Equatable {
        /// The file is in its place.
        ///
        /// - Parameters:
        ///   - from: The path of the file in the archive, or where it was unpacked ahead.
        ///   - isPartial: Whether it holds only the beginning of its segment, and zeros after that.
        case restored(from: String, isPartial: Bool)
        /// The archive does not have it: its WAL ends before, or it has no such timeline.
        case absent
        /// The archive cannot tell: a directory or file cannot be read, a file is damaged or has a suffix that is not
        /// known, a segment is missing before newer ones, or there is no room for the file.
        case doubtful(UnderstudyError)
    }

    /// The first that has a file counts. Symbolic links to files are followed.
    public var directories: [String]
    public var options: Options
    public var logger: Logger

    public init(from directories: [String], options: Options = .init(), logger: Logger = .silent) {
        self.directories = directories
        self.options = options
        self.logger = logger
    }

    /// Hands out a file.
    ///
    /// - Parameters:
    ///   - name: The file that the server asks for, `%f`: a segment, `000000010000000000000003`, or a history file,
    ///     `00000002.history`.
    ///   - path: Where it is to be, `%p`; an existing file is replaced.
    ///   - dataDirectory: The server's data directory, which is the working directory of restore_command.
    /// - Throws: If `name` is none of a file in an archive, or if the task is cancelled.
    public func restore(
        _ name: String, to path: String, dataDirectory: String = "."
    ) async throws(UnderstudyError) -> Outcome {
        guard !directories.isEmpty else { throw UnderstudyError(.options, "no archive directory specified") }
        guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), !name.hasPrefix(".") else {
            throw UnderstudyError(.options, "\"\(name)\" cannot be the name of a file in an archive")
        }
        let interrupt = Interrupt()
        return try await OwnThread.run(
            "wal restore", interrupt: interrupt, failure: { UnderstudyError($0) }
        ) { () throws(UnderstudyError) in
            try self.look(name, path, dataDirectory, interrupt)
        }
    }

    private func look(
        _ name: String, _ path: String, _ dataDirectory: String, _ interrupt: Interrupt
    ) throws(UnderstudyError) -> Outcome {
        let recovery = WALRecovery(dataDirectory: dataDirectory), server = RestoringServer(dataDirectory)
        let clock = ContinuousClock(), began = clock.now
        var pauses = Backoff(), random = SystemRandomNumberGenerator(), known: UnderstudyError?
        while true {
            let outcome: Outcome
            do throws(FileIOError) {
                let target = try RestoreTarget(path)
                if options.readAhead > 0, WALSegmentName.isSegmentName(name),
                    let ready = ReadAheadCache(target, self)?.take(name)
                {
                    return .restored(from: ready, isPartial: false)
                }
                var look = RestoreLook(
                    name, to: target, from: directories, servesDiverged: options.servesDiverged,
                    control: server.control, recovery: recovery)
                outcome = look.outcome()
            } catch { outcome = .doubtful(UnderstudyError(error)) }
            guard case .doubtful(let doubt) = outcome else { return outcome }
            let left = options.retryTime.map { $0 - (clock.now - began) }
            if let left, left <= .zero { return outcome }
            if doubt != known { logger.warning("\(doubt.message); trying again", metadata: doubt.metadata) }
            known = doubt
            let pause = pauses.pause(using: &random)
            let wait = Interrupt.wait(
                socket: -1, events: 0, interrupts: [interrupt], timeout: left.map { min($0, pause) } ?? pause)
            if case .interrupted = wait { throw UnderstudyError(.cancelled, "interrupted") }
            // The rest of it, which waits for this process, keeps a new one from starting.
            if server.hasDied { throw UnderstudyError(.cancelled, "the server has died") }
        }
    }
}
