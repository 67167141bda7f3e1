package import UnderstudyConnection
package import UnderstudyPlatform
package import UnderstudyProtocol

/// What can be learnt of a physical replication slot, from the replication connection (READ_REPLICATION_SLOT, from 15) and
/// from an ordinary one, if there may be one.
package struct SlotLook: Sendable, Equatable {
    /// What the two connections said.
    package struct Sources: Sendable, Equatable {
        package var version: ServerVersion
        /// READ_REPLICATION_SLOT's answer; nil where there is no such slot, or no such command.
        package var read: SlotState?
        /// What pg_replication_slots says; nil where it could not be asked.
        package var answer: WatchQuery.Answer?
        /// `SHOW max_slot_wal_keep_size`, where it matters.
        package var sizeLimit: String?
        /// Whether this slot of this server held WAL a while ago.
        package var heldWAL = false

        package init(
            version: ServerVersion, read: SlotState? = nil, answer: WatchQuery.Answer? = nil, sizeLimit: String? = nil,
            heldWAL: Bool = false
        ) {
            self.version = version
            self.read = read
            self.answer = answer
            self.sizeLimit = sizeLimit
            self.heldWAL = heldWAL
        }
    }

    /// nil where there is none, or it could not be seen.
    package var state: SlotState?
    /// Whether a slot that was not seen does not exist.
    package var isKnown: Bool
    /// nil for a slot that is not known to be invalidated.
    package var invalidation: SlotInvalidation?
    /// Whether an ordinary connection told of it.
    package var isAnswered: Bool
    /// `reserved`, `extended`, `unreserved` or `lost` (from 13); nil where it is not told.
    package var walStatus: String?
    /// Whether it may be invalidated, and nothing tells.
    package var isUncertain = false

    /// Judges by what was said. Pure.
    package init(_ sources: Sources) {
        let version = sources.version
        state = sources.read ?? sources.answer?.slot
        isKnown = version.readsSlots || sources.answer != nil
        isAnswered = sources.answer?.slot != nil
        walStatus = sources.answer?.walStatus
        guard let state, state.kind == "physical", version.invalidatesSlots else {
            isUncertain = state == nil && !isKnown && version.invalidatesSlots && Self.limits(sources.sizeLimit)
            return
        }
        if let answer = sources.answer, answer.slot != nil {
            invalidation = answer.invalidation
        } else if state.restartLSN == nil {
            // A slot that was never used looks the same; from 18 on the server refuses the stream from a lost one.
            if sources.heldWAL {
                invalidation = SlotInvalidation()
            } else {
                isUncertain = !version.refusesInvalidatedSlots
            }
        } else {
            // Its position moves on though it is lost.
            isUncertain =
                version.keepsSlotsInvalidated && !version.refusesInvalidatedSlots && Self.limits(sources.sizeLimit)
        }
        // A lost slot's position, where it has one, is only what was told it last.
        if invalidation != nil { self.state?.restartLSN = nil }
    }

    /// `SHOW max_slot_wal_keep_size` is -1 where slots hold WAL without a limit.
    private static func limits(_ setting: String?) -> Bool { setting != nil && setting != "-1" }

    /// Whether the replication connection alone leaves it open.
    package static func needsAnswer(_ version: ServerVersion, read: SlotState?) -> Bool {
        guard version.readsSlots else { return true }
        guard let read, read.kind == "physical" else { return false }
        return read.restartLSN == nil || (version.keepsSlotsInvalidated && !version.refusesInvalidatedSlots)
    }

    /// Looks.
    ///
    /// - Parameters:
    ///   - session: A replication connection that is free for a command.
    ///   - parameters: For the ordinary connection, at the same server.
    ///   - heldWAL: Whether this slot of this server held WAL a while ago.
    ///   - asksAlways: Asks the ordinary connection though the other one seems to tell enough.
    package static func take(
        _ name: String, _ session: Session, _ parameters: ConnectionParameters, _ interrupt: Interrupt,
        heldWAL: Bool = false, asksAlways: Bool = false
    ) throws(UnderstudyError) -> SlotLook {
        let version = session.serverVersion
        var sources = Sources(version: version, heldWAL: heldWAL)
        if version.readsSlots { sources.read = try read(name, session) }
        if asksAlways || needsAnswer(version, read: sources.read) {
            sources.answer = try? OrdinaryConnection.ask(
                WatchQuery(version: version, slot: name), parameters, interrupt)
            if sources.answer == nil, version.invalidatesSlots {
                // Whatever answers without knowing it tells no limit.
                do throws(UnderstudyError) { sources.sizeLimit = try session.show("max_slot_wal_keep_size") } catch {
                    if error.code == .connection || error.code == .cancelled { throw error }
                }
            }
        }
        return SlotLook(sources)
    }

    private static func read(_ name: String, _ session: Session) throws(UnderstudyError) -> SlotState? {
        do throws(UnderstudyError) {
            return try session.ask(ReplicationCommand.readSlot(name), SlotState.decode)
        } catch  where error.sqlState == "0A000" {
            // The server does not read a logical slot, and has no hint.
            return SlotState(kind: "logical")
        }
    }
}

/// An ordinary connection beside the replication connection, for what only SQL tells.
package enum OrdinaryConnection {
    package static func open(
        _ parameters: ConnectionParameters, _ interrupt: Interrupt
    ) throws(ConnectionError) -> Session {
        var parameters = parameters
        let database = parameters["dbname"] ?? "postgres"
        if parameters["connect_timeout"] == nil { parameters["connect_timeout"] = "10" }
        return try Session.connect(
            parameters, kind: .ordinary(database: database), applicationName: "understudy", interrupt: interrupt,
            patience: .seconds(60))
    }

    package static func ask(_ query: WatchQuery, _ session: Session) throws(UnderstudyError) -> WatchQuery.Answer {
        try session.ask(query.text) { rows throws(ProtocolError) in try WatchQuery.Answer(rows) }
    }

    package static func ask(
        _ query: WatchQuery, _ parameters: ConnectionParameters, _ interrupt: Interrupt
    ) throws(UnderstudyError) -> WatchQuery.Answer {
        let session: Session
        do throws(ConnectionError) { session = try open(parameters, interrupt) } catch { throw UnderstudyError(error) }
        return try ask(query, session)
    }
}
