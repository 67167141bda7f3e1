import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// What a run remembers about its slot from one connection to the next.
struct SlotTracker {
    /// The server on which the slot was seen to hold WAL: another server has another slot of that name.
    private struct Place: Equatable {
        var host: String
        var port: String
        var timeline: TimelineID

        init(_ session: Session, _ server: ServerFacts) {
            host = session.host
            port = session.port
            timeline = server.identity.timeline
        }
    }

    private var heldAt: Place?
    private var hasSaidUncertain = false
    private var hasCheckedName = false
    private var saidGaps: Set<WALGap> = []
    /// The server on which the slot was created for this run; nil if it was not.
    var createdOn: ConnectionParameters?
    /// An invalidation that showed after the slot was last read, when a stream ended or was refused.
    private(set) var noticed: SlotInvalidation?

    /// Reads the slot over a new connection.
    mutating func read(
        _ name: String, _ session: Session, _ server: ServerFacts, _ parameters: ConnectionParameters,
        _ interrupt: Interrupt, access: QueryAccess, asksAlways: Bool = false
    ) throws(UnderstudyError) -> SlotReading {
        let place = Place(session, server)
        var reading = try SlotReading.take(
            name, session, parameters, interrupt, heldWAL: heldAt == place,
            asksAlways: asksAlways || noticed != nil, access: access)
        if reading.state != nil, !reading.isAnswered, let noticed {
            reading.invalidation = reading.invalidation ?? noticed
        }
        noticed = nil
        if reading.state?.restartLSN != nil, reading.invalidation == nil { heldAt = place }
        return reading
    }

    /// Logs once that nothing shows whether the slot is invalidated.
    ///
    /// - Parameter recreates: Whether a slot that is known to be invalidated or missing is to be recreated.
    mutating func warnUncertain(_ reading: SlotReading, _ name: String, recreates: Bool, _ logger: Logger) {
        let leavesIt = recreates && !reading.isAnswered && (reading.isUncertain || !reading.isKnown)
        guard reading.isUncertain || leavesIt, reading.invalidation == nil, !hasSaidUncertain else { return }
        hasSaidUncertain = true
        let isEmpty = reading.state != nil && reading.state?.restartLSN == nil
        var text =
            isEmpty
            ? "replication slot \"\(name)\" holds no WAL: it was never used, or the server has invalidated it; a replication connection does not tell which"
            : "a replication connection does not tell whether the server has invalidated replication slot \"\(name)\""
        var hint: Remedy =
            "Let the role connect to a database, too (pg_hba.conf), or look on the server: SELECT wal_status FROM pg_replication_slots WHERE slot_name = \(SQLText.literal(name));"
        if leavesIt {
            // A server that invalidates slots is 13 or newer.
            text += ": it is left as it is"
            hint = hint + " Where that says lost, make it anew: \(SlotSQL.drop(name)) \(SlotSQL.create(name, on: nil))"
        } else if isEmpty {
            hint = hint + " With \(.recreateSlot(name)) it is made anew in either case."
        }
        logger.warning(
            "\(text)", metadata: .event(.slotUncertain, ["slot": "\(name)", "hint": .stringConvertible(hint)]))
    }

    /// Logs once that the server alters the name by which synchronous_standby_names would find us.
    mutating func checkName(_ session: Session, _ logger: Logger) throws(UnderstudyError) {
        guard !hasCheckedName else { return }
        hasCheckedName = true
        guard let flaw = try session.flawOfApplicationName() else { return }
        logger.warning(
            "application_name \"\(flaw.name)\" is not kept as it is: \(flaw.clause)",
            metadata: .event(
                .nameAltered,
                ["hint": "synchronous_standby_names finds the receiver by the name that the server keeps."]))
    }

    /// Whether a gap was not logged yet.
    mutating func isNew(_ gap: WALGap) -> Bool { saidGaps.insert(gap).inserted }

    /// Notes that the slot of this server held WAL while the stream ran.
    mutating func noteHeld(_ session: Session, _ server: ServerFacts) { heldAt = Place(session, server) }

    mutating func note(_ invalidation: SlotInvalidation) { noticed = invalidation }

    /// Finds out whether a stream failed because the server has invalidated the slot. That ends the WAL sender with the
    /// same code as an administrator's command (57P01). From 18 on the server refuses to stream from such a slot
    /// (55000).
    ///
    /// - Parameters:
    ///   - hasReceived: Whether the stream received anything.
    ///   - isLast: Whether no later connection will read the slot.
    mutating func note(
        _ failure: UnderstudyError, hasReceived: Bool, isLast: Bool, _ name: String, _ server: ServerFacts,
        _ parameters: ConnectionParameters, _ interrupt: Interrupt, access: QueryAccess
    ) {
        guard noticed == nil else { return }
        if failure.sqlState == "55000", !hasReceived, server.version.refusesInvalidatedSlots {
            noticed = SlotInvalidation(reason: failure.detail?.quoted)
        }
        // A server may be unable to say why it ends a connection if the client is not reading.
        let isLost = failure.sqlState == nil && failure.code == .connection && hasReceived && isLast
        if failure.sqlState == "57P01" || isLost, server.version.invalidatesSlots {
            noticed = InvalidatedSlot.find(name, parameters, interrupt) { session throws(UnderstudyError) in
                try read(name, session, server, parameters, interrupt, access: access, asksAlways: true)
            }
        }
    }
}

extension String {
    /// The text between the first two double quotes.
    fileprivate var quoted: String? {
        let parts = split(separator: "\"", omittingEmptySubsequences: false)
        return parts.count > 2 ? String(parts[1]) : nil
    }
}
