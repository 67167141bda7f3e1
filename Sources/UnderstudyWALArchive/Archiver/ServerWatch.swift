import Logging
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// Polls what only SQL can answer: whether commits wait for us, and the state of the slot. Uses its own thread and an
/// ordinary connection, if one is allowed; nothing depends on it.
final class ServerWatch: Sendable {
    private let parameters: ConnectionParameters
    private let query: WatchQuery
    /// As the server knows the receiver.
    private let applicationName: String
    private let archiver: WALArchiver
    private let interrupt = Interrupt()
    private let thread = Monitor<OwnThread?>(nil)
    private let slotHolds = Monitor(false)

    private static let interval = Duration.seconds(5)

    init(
        _ parameters: ConnectionParameters, version: ServerVersion, senderPID: Int, applicationName: String,
        slot: String?,
        archiver: WALArchiver
    ) {
        self.applicationName = applicationName
        self.parameters = parameters
        query = WatchQuery(version: version, senderPID: senderPID, slot: slot)
        self.archiver = archiver
    }

    /// - Parameter confirmsSlot: Whether the slot is not known to hold WAL yet.
    func start(confirmsSlot: Bool) {
        do throws(FileIOError) {
            let started = try OwnThread("wal watch") { [self] in run(confirmsSlot) }
            thread.update { $0 = started }
        } catch {
            archiver.logger.debug("the state of WAL senders and slots is not watched: \(error)")
        }
    }

    private func run(_ confirmsSlot: Bool) {
        do {
            try watch()
        } catch {
            if !interrupt.isRaised {
                archiver.logger.debug("the server does not tell the state of WAL senders and slots: \(error)")
            }
            if confirmsSlot, let slot = query.slot, query.version.readsSlots { try? waitUntilHeld(slot) }
        }
    }

    func stop() {
        interrupt.raise()
        thread.read { $0 }?.join()
    }

    /// Whether the slot was seen to hold WAL over a replication connection, if an ordinary one is not allowed.
    var hasSeenSlotHold: Bool { slotHolds.read { $0 } }

    /// Waits for the first acknowledgement, then reads the slot. From then on, a slot without a position cannot be one
    /// that was never used.
    private func waitUntilHeld(_ slot: String) throws {
        while true {
            let outcome = Interrupt.wait(socket: -1, events: 0, interrupts: [interrupt], timeout: Self.interval)
            if case .interrupted = outcome { return }
            guard archiver.state.status.acknowledged > .invalid else { continue }
            let session = try Session.connect(
                parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                silenceLimit: .seconds(60))
            let found = try session.ask(.readSlot(slot))
            return slotHolds.change { $0 = found?.restartLSN != nil }
        }
    }

    /// A role without the right to read statistics is not told the state of its own WAL sender. Then commits are thought to
    /// wait where they could: a sync too many does no harm.
    private func isSynchronous(_ answer: WatchQuery.Answer) -> Bool {
        guard answer.syncState == nil, let names = answer.standbyNames else { return answer.isSynchronous }
        return SynchronousStandbyNames(names).mayMean(applicationName)
    }

    private func watch() throws {
        let session = try OrdinaryConnection.open(parameters, interrupt, archiver.state.access)
        var warnings = SlotWarnings()
        while true {
            let answer = try OrdinaryConnection.ask(query, session)
            let isSynchronous = isSynchronous(answer)
            if !archiver.options.synchronous { archiver.state.setSynchronous(isSynchronous) }
            if isSynchronous, answer.waitsForReplay { archiver.warnOfReplay() }
            if let position = answer.serverPosition {
                archiver.state.change { $0.server = max($0.server, position) }
            }
            if let slot = query.slot { archiver.state.note(slot, answer) }
            if let invalidation = answer.invalidation, answer.slot != nil {
                archiver.state.note(invalidation, senderIsAlive: answer.syncState != nil)
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
}

/// Decides what to warn about a slot. Pure.
struct SlotWarnings {
    struct Warning: Equatable {
        var text: String
        var hint: String
    }

    private var status: String?
    /// The bytes left at the last warning, or the most since.
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
                        hint: "What was sent before is received still."))
            default: break
            }
            status = answer.walStatus
        }
        // Negative once the limit is exceeded.
        if let left = answer.safeSize.map({ max(0, $0) }) {
            if let before = safeSize, left < before / 2 {
                warnings.append(
                    Warning(
                        text:
                            "replication slot \"\(slot)\" has room for \(Quantity.bytes(UInt64(left))) of WAL until it loses some",
                        hint: "Raise max_slot_wal_keep_size on the server, and see why the archive lags behind."))
                safeSize = left
            } else {
                safeSize = max(safeSize ?? left, left)
            }
        }
        return warnings
    }
}
