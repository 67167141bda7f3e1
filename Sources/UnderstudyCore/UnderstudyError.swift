import UnderstudyConnection
import UnderstudyPlatform
import UnderstudyStreaming

/// Why a backup, a clone or a start failed.
///
/// `message` has PostgreSQL's form: lower case, no full stop, objects quoted. `detail` and `hint` are whole
/// sentences, and the hint says what to do. No description ever holds a password.
public struct UnderstudyError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure. Later versions may have more kinds: a `switch` needs a `default`.
    ///
    /// `description` is its name, such as `slotInvalidated`.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String, Hashable, Sendable {
            case options, target, connection, authentication, passwordNeeded, server, protocolViolation, slot, wal,
                noSpace, fileSystem
            case verification, damagedPages, configuration, start, notInRecovery, resources, cancelled, slotInvalidated
        }

        private var value: Value

        /// Options that conflict, or make no sense on this server.
        public static let options = Code(value: .options)
        /// The target directory, the WAL directory or a tablespace mapping cannot be used.
        public static let target = Code(value: .target)
        /// The server could not be reached, or went away.
        public static let connection = Code(value: .connection)
        /// The server refused the login.
        public static let authentication = Code(value: .authentication)
        /// The server asks for a password, and none was found.
        public static let passwordNeeded = Code(value: .passwordNeeded)
        /// The server answered a command with an error.
        public static let server = Code(value: .server)
        /// The server sent something that violates the protocol.
        public static let protocolViolation = Code(value: .protocolViolation)
        /// The replication slot cannot be created or used.
        public static let slot = Code(value: .slot)
        /// The server has invalidated the replication slot, which no longer holds WAL.
        public static let slotInvalidated = Code(value: .slotInvalidated)
        /// The WAL stream failed.
        public static let wal = Code(value: .wal)
        /// The backup does not fit on the disk.
        public static let noSpace = Code(value: .noSpace)
        /// A file or directory could not be created, written or synced.
        public static let fileSystem = Code(value: .fileSystem)
        /// The received data does not match the backup manifest.
        public static let verification = Code(value: .verification)
        /// The server found damaged pages. The backup is otherwise complete, and is kept.
        public static let damagedPages = Code(value: .damagedPages)
        /// The recovery settings could not be written, or a file that they need cannot be used.
        public static let configuration = Code(value: .configuration)
        /// The standby did not start, or did not begin to stream in time.
        public static let start = Code(value: .start)
        /// The started server is not a standby: it has left recovery. It was stopped if possible, and is kept.
        public static let notInRecovery = Code(value: .notInRecovery)
        /// Threads, file descriptors or memory ran out.
        public static let resources = Code(value: .resources)
        /// The task was cancelled.
        public static let cancelled = Code(value: .cancelled)

        public var description: String { value.rawValue }

        /// nil if no code has this name.
        init?(name: String) {
            guard let value = Value(rawValue: name) else { return nil }
            self.value = value
        }

        private init(value: Value) {
            self.value = value
        }
    }

    public var code: Code
    /// What went wrong. Like `detail` and `hint`, it may contain a server's text and file names verbatim, control
    /// characters included: escape them for display.
    public var message: String
    public var detail: String?
    /// What to do about it, with the options of this library that help.
    public var remedy: Remedy?
    /// The SQLSTATE of the server's error, if there was one.
    public var sqlState: String?
    /// The command that a replication connection refused, where the message says only what it was for.
    public var command: String?
    /// The error behind this one, if there was one: of the connection, of the file system, of what was received, or the
    /// ``WALDestinationError`` that a destination threw. Like the message, it holds no password.
    public var cause: (any Error)?

    /// - Parameters:
    ///   - hint: The remedy, if it names no option.
    ///   - remedy: Counts instead of `hint`.
    public init(
        _ code: Code, _ message: String, detail: String? = nil, hint: String? = nil, remedy: Remedy? = nil,
        sqlState: String? = nil, cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.detail = detail
        self.remedy = remedy ?? hint.map { Remedy($0) }
        self.sqlState = sqlState
        self.cause = cause
    }

    /// The remedy as text, in which options have the names that a Swift program uses.
    public var hint: String? {
        get { remedy?.description }
        set { remedy = newValue.map { Remedy($0) } }
    }

    /// The errno of the system call that failed on a file, if that is the cause.
    public var errorNumber: Int32? {
        (cause as? FileIOError ?? (cause as? WALDestinationError)?.file)?.number
    }

    /// The server's error as libpq shows it, without detail and hint, if that is the cause: `ERROR:  replication slot "x"
    /// does not exist`.
    public var serverText: String? {
        (cause as? ConnectionError)?.server.map { "\($0.severity):  \($0.message)" }
    }

    /// The hint of the server, if it gave one: ``remedy`` may be another.
    package var hintOfServer: String? { (cause as? ConnectionError)?.server?.hint }

    /// Whether the connection that streamed WAL failed.
    public var isOfWALStream: Bool { message.hasPrefix(Self.streamFailed) }

    static let streamFailed = "could not receive WAL: "

    /// The message, then detail and hint on lines of their own, as PostgreSQL's programs print them.
    public var description: String {
        var text = message
        if let detail { text += "\nDETAIL:  \(detail)" }
        if let hint { text += "\nHINT:  \(hint)" }
        return text
    }
}

/// Equal errors say the same; the cause does not count.
extension UnderstudyError: Equatable {
    public static func == (one: UnderstudyError, other: UnderstudyError) -> Bool {
        (one.code, one.message, one.detail, one.sqlState) == (other.code, other.message, other.detail, other.sqlState)
            && one.remedy == other.remedy
    }
}
