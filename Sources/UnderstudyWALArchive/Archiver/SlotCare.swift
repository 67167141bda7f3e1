import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// What a run knows of its slot from one connection to the next.
struct SlotCare {
    /// The server at which the slot was seen to hold WAL: another one has another slot of that name.
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
    /// What has shown since the last look, by a stream that ended or was refused.
    private(set) var noticed: SlotInvalidation?

    /// Looks at the slot over a new connection.
    mutating func look(
        _ name: String, _ session: Session, _ server: ServerFacts, _ parameters: ConnectionParameters,
        _ interrupt: Interrupt, asksAlways: Bool = false
    ) throws(UnderstudyError) -> SlotLook {
        let place = Place(session, server)
        var look = try SlotLook.take(
            name, session, parameters, interrupt, heldWAL: heldAt == place,
            asksAlways: asksAlways || noticed != nil)
        if look.state != nil, !look.isAnswered, let noticed { look.invalidation = look.invalidation ?? noticed }
        noticed = nil
        if look.state?.restartLSN != nil, look.invalidation == nil { heldAt = place }
        return look
    }

    /// Says once that nothing tells whether the slot is invalidated.
    ///
    /// - Parameter recreates: Whether a slot is to be made anew that is shown to be invalidated or missing.
    mutating func sayUncertain(_ look: SlotLook, _ name: String, recreates: Bool, _ logger: Logger) {
        let leavesIt = recreates && !look.isAnswered && (look.isUncertain || !look.isKnown)
        guard look.isUncertain || leavesIt, look.invalidation == nil, !hasSaidUncertain else { return }
        hasSaidUncertain = true
        let isEmpty = look.state != nil && look.state?.restartLSN == nil
        var text =
            isEmpty
            ? "replication slot \"\(name)\" holds no WAL: it was never used, or the server has invalidated it; a replication connection does not tell which"
            : "a replication connection does not tell whether the server has invalidated replication slot \"\(name)\""
        var hint =
            "Let the role connect to a database, too (pg_hba.conf), or look on the server: SELECT wal_status FROM pg_replication_slots WHERE slot_name = \(SQLText.literal(name));"
        if leavesIt {
            text += ": --recreate-slot leaves it as it is"
            hint +=
                " Where that says lost, make it anew: \(SlotSQL.drop(name)) SELECT pg_create_physical_replication_slot(\(SQLText.literal(name)), true);"
        } else if isEmpty {
            hint += " With --recreate-slot it is made anew in either case."
        }
        logger.warning("\(text)", metadata: ["hint": "\(hint)"])
    }

    /// Says once that the server does not keep the name by which synchronous_standby_names would find us.
    mutating func checkName(_ session: Session, _ logger: Logger) throws(UnderstudyError) {
        guard !hasCheckedName else { return }
        hasCheckedName = true
        guard let flaw = try session.flawOfApplicationName() else { return }
        logger.warning(
            "application_name \"\(flaw.name)\" is not kept as it is: \(flaw.clause)",
            metadata: ["hint": "synchronous_standby_names finds the receiver by the name that the server keeps."])
    }

    /// Whether a gap was not said yet.
    mutating func isNew(_ gap: WALGap) -> Bool { saidGaps.insert(gap).inserted }

    /// The slot of this server was seen to hold WAL while the stream ran.
    mutating func noteHeld(_ session: Session, _ server: ServerFacts) { heldAt = Place(session, server) }

    mutating func note(_ invalidation: SlotInvalidation) { noticed = invalidation }

    /// A stream has failed: finds out whether that was because the server has invalidated the slot, which ends the WAL
    /// sender as an administrator does (57P01). From 18 on it does not begin a stream from such a slot (55000).
    ///
    /// - Parameters:
    ///   - hasReceived: Whether the stream brought anything.
    ///   - isLast: Whether no other connection will look at the slot.
    mutating func note(
        _ failure: UnderstudyError, hasReceived: Bool, isLast: Bool, _ name: String, _ server: ServerFacts,
        _ parameters: ConnectionParameters, _ interrupt: Interrupt
    ) {
        guard noticed == nil else { return }
        if failure.sqlState == "55000", !hasReceived, server.version.refusesInvalidatedSlots {
            noticed = SlotInvalidation(reason: failure.detail?.quoted)
        }
        // The server may not come to say why it ends a connection whose client does not listen.
        let isLost = failure.sqlState == nil && failure.code == .connection && hasReceived && isLast
        if failure.sqlState == "57P01" || isLost, server.version.invalidatesSlots {
            noticed = LostSlot.find(name, parameters, interrupt) { session throws(UnderstudyError) in
                try look(name, session, server, parameters, interrupt, asksAlways: true)
            }
        }
    }
}

extension String {
    /// What stands between the first two double quotes.
    fileprivate var quoted: String? {
        let parts = split(separator: "\"", omittingEmptySubsequences: false)
        return parts.count > 2 ? String(parts[1]) : nil
    }
}
