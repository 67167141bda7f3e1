import Logging
import UnderstudyConnection
import UnderstudyFileIO
import UnderstudyProtocol
import UnderstudySource
import UnderstudyWAL

/// Looks from time to time what only SQL tells: whether commits wait for us, and how the slot fares. On a thread of its
/// own, over an ordinary connection, if there may be one; nothing depends on it.
final class ServerWatch: Sendable {
    private let parameters: ConnectionParameters
    private let query: WatchQuery
    private let archiver: WALArchiver
    private let interrupt = Interrupt()
    private let isOver = Monitor(false)

    private static let interval = Duration.seconds(5)

    init(
        _ parameters: ConnectionParameters, version: ServerVersion, senderPID: Int, slot: String?, archiver: WALArchiver
    ) {
        self.parameters = parameters
        query = WatchQuery(version: version, senderPID: senderPID, slot: slot)
        self.archiver = archiver
    }

    /// One look.
    static func ask(
        _ query: WatchQuery, _ parameters: ConnectionParameters, _ interrupt: Interrupt
    ) throws -> WatchQuery.Answer {
        try ask(query, connect(parameters, interrupt))
    }

    func start() {
        do throws(FileIOError) { _ = try OwnThread("wal watch") { [self] in run() } } catch {
            archiver.logger.debug("the state of WAL senders and slots is not watched: \(error)")
            isOver.update { $0 = true }
        }
    }

    private func run() {
        do {
            try watch()
        } catch {
            if !interrupt.isRaised {
                archiver.logger.debug("the server does not tell the state of WAL senders and slots: \(error)")
            }
        }
        isOver.update { $0 = true }
    }

    func stop() {
        interrupt.raise()
        _ = isOver.wait { $0 ? true : nil }
    }

    private func watch() throws {
        let session = try Self.connect(parameters, interrupt)
        var warnings = SlotWarnings()
        while true {
            let answer = try Self.ask(query, session)
            if !archiver.options.synchronous { archiver.state.setSynchronous(answer.isSynchronous) }
            if let position = answer.serverPosition {
                archiver.state.change { $0.server = max($0.server, position) }
            }
            if let slot = query.slot {
                for warning in warnings.note(answer, slot: slot) {
                    archiver.warn(lagging: warning.text, hint: warning.hint)
                }
            }
            let outcome = Interrupt.wait(socket: -1, events: 0, interrupts: [interrupt], timeout: Self.interval)
            if case .interrupted = outcome { return }
        }
    }

    private static func connect(_ parameters: ConnectionParameters, _ interrupt: Interrupt) throws -> Session {
        var parameters = parameters
        let database = parameters["dbname"] ?? "postgres"
        if parameters["connect_timeout"] == nil { parameters["connect_timeout"] = "10" }
        return try Session.connect(
            parameters, kind: .ordinary(database: database), applicationName: "understudy", interrupt: interrupt,
            patience: .seconds(60))
    }

    private static func ask(_ query: WatchQuery, _ session: Session) throws -> WatchQuery.Answer {
        try WatchQuery.Answer(session.runForRows(query.text))
    }
}

/// What is worth a warning about a slot. Pure.
struct SlotWarnings {
    struct Warning: Equatable {
        var text: String
        var hint: String
    }

    private var status: String?
    /// The number of bytes left when that was last said, or the most there was since.
    private var safeSize: Int64?

    mutating func note(_ answer: WatchQuery.Answer, slot: String) -> [Warning] {
        var warnings: [Warning] = []
        if answer.walStatus != status {
            switch answer.walStatus {
            case "unreserved":
                warnings.append(
                    Warning(
                        text: "replication slot \"\(slot)\" is about to lose WAL: its wal_status is unreserved",
                        hint: "Raise max_slot_wal_keep_size on the server, and see why the archive lags behind."))
            case "lost":
                warnings.append(
                    Warning(
                        text: "replication slot \"\(slot)\" has lost WAL that it should keep: its wal_status is lost",
                        hint:
                            "What the stream has not received yet may be gone. Take a new base backup, and drop and make the slot anew."
                    ))
            default: break
            }
            status = answer.walStatus
        }
        // It is negative once the limit is passed.
        if let left = answer.safeSize.map({ max(0, $0) }) {
            if let before = safeSize, left < before / 2 {
                warnings.append(
                    Warning(
                        text: "replication slot \"\(slot)\" has room for \(left) bytes of WAL until it loses some",
                        hint: "Raise max_slot_wal_keep_size on the server, and see why the archive lags behind."))
                safeSize = left
            } else {
                safeSize = max(safeSize ?? left, left)
            }
        }
        return warnings
    }
}
