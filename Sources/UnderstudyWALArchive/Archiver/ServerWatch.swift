import Logging
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// Polls what only SQL can answer: whether commits wait for us, and the state of the slot. Uses the ordinary connection that
/// all watches of the server share, if one is allowed, and a thread of the process's pool for each poll; nothing depends on it.
final class ServerWatch: PooledWork {
    private let parameters: ConnectionParameters
    private let query: WatchQuery
    /// As the server knows the receiver.
    private let applicationName: String
    private let archiver: WALArchiver
    private let member: LaneMember
    private let interrupt = Interrupt()
    private let confirmsSlot: Bool

    private enum Phase {
        case polling(SlotWarnings)
        /// Waits for the first acknowledgement, then reads the slot over a replication connection.
        case confirmingSlot(String)
        case over
    }

    private struct State {
        /// nil while a thread polls.
        var phase: Phase? = .polling(SlotWarnings())
        var isStopped = false
        var hasSeenSlotHold = false
    }

    private let state = Monitor(State())

    private static let interval = Duration.seconds(5)
    private static let beginning = ContinuousClock.now

    /// - Parameters:
    ///   - server: Host and port: all watches of one server share a thread.
    ///   - confirmsSlot: Whether the slot is not known to hold WAL yet.
    init(
        _ parameters: ConnectionParameters, server: String, version: ServerVersion, senderPID: Int,
        applicationName: String, slot: String?, confirmsSlot: Bool, archiver: WALArchiver
    ) {
        self.applicationName = applicationName
        self.parameters = parameters
        query = WatchQuery(version: version, senderPID: senderPID, slot: slot)
        self.confirmsSlot = confirmsSlot
        self.archiver = archiver
        member = LaneMember(HelperPool.shared.lane(.server(server)))
    }

    /// Polls at once, and then at an interval.
    func start() {
        guard !state.read({ $0.isStopped }), !member.lane.schedule(self) else { return }
        archiver.logger.debug("the state of WAL senders and slots cannot be looked at for want of a thread")
        startLater()
    }

    private func startLater() {
        // All at the same times, so that one connection serves them and is closed until the next.
        let elapsed = ContinuousClock.now - Self.beginning
        let next = Self.interval * (Int(elapsed / Self.interval) + 1)
        Timers.shared.after(next - elapsed) { [weak self] in self?.start() }
    }

    /// Ends a poll that is under way, and waits for that.
    func stop() {
        interrupt.raise()
        _ = state.wait { state -> Phase? in
            state.isStopped = true
            return state.phase.take()
        }
        state.change { $0.phase = .over }
        member.leave(waits: true)
    }

    /// Whether the slot was seen to hold WAL over a replication connection, if an ordinary one is not allowed.
    var hasSeenSlotHold: Bool { state.read { $0.hasSeenSlotHold } }

    func runSlice() -> Bool {
        let phase = state.change { state in state.isStopped ? nil : state.phase.take() }
        guard let phase else { return false }
        let next = poll(phase)
        if case .over = next {} else { startLater() }
        state.update { $0.phase = next }
        return false
    }

    private func poll(_ phase: Phase) -> Phase {
        switch phase {
        case .polling(var warnings):
            do throws(UnderstudyError) {
                note(try OrdinaryConnection.ask(query, parameters, interrupt, archiver.state.access), &warnings)
                return .polling(warnings)
            } catch {
                if !interrupt.isRaised {
                    archiver.logger.debug("the server does not tell the state of WAL senders and slots: \(error)")
                }
                // A server without a free connection may have one the next time.
                if archiver.state.access.mayAsk, Retry.mayPass(error) { return .polling(warnings) }
                guard confirmsSlot, let slot = query.slot, query.version.readsSlots else { return .over }
                return .confirmingSlot(slot)
            }
        case .confirmingSlot(let slot):
            guard archiver.state.status.acknowledged > .invalid else { return phase }
            try? confirm(slot)
            return .over
        case .over: return .over
        }
    }

    /// After the first acknowledgement: from then on, a slot without a position cannot be one that was never used.
    private func confirm(_ slot: String) throws {
        let session = try Session.connect(
            parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
            silenceLimit: .seconds(60))
        let found = try session.ask(.readSlot(slot))
        state.change { $0.hasSeenSlotHold = found?.restartLSN != nil }
    }

    /// A role without the right to read statistics is not told the state of its own WAL sender. Then commits are thought to
    /// wait where they could: a sync too many does no harm.
    private func isSynchronous(_ answer: WatchQuery.Answer) -> Bool {
        guard answer.syncState == nil, let names = answer.standbyNames else { return answer.isSynchronous }
        return SynchronousStandbyNames(names).mayMean(applicationName)
    }

    private func note(_ answer: WatchQuery.Answer, _ warnings: inout SlotWarnings) {
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
        guard let slot = query.slot else { return }
        for warning in warnings.note(answer, slot: slot) {
            archiver.warn(lagging: warning.text, hint: warning.hint)
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
