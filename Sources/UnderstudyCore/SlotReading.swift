package import UnderstudyConnection
package import UnderstudyPlatform
package import UnderstudyProtocol

/// What is known about a physical replication slot, from the replication connection (READ_REPLICATION_SLOT, from 15)
/// and from an ordinary connection, if one is allowed.
package struct SlotReading: Sendable, Equatable {
    /// The answers of both connections.
    package struct Sources: Sendable, Equatable {
        package var version: ServerVersion
        /// The answer to READ_REPLICATION_SLOT; nil if there is no such slot or no such command.
        package var read: SlotState?
        /// The answer from pg_replication_slots; nil if it could not be queried.
        package var answer: WatchQuery.Answer?
        /// The value of max_slot_wal_keep_size; nil if it was not read.
        package var sizeLimit: String?
        /// Whether this slot, on this server, held WAL earlier.
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

    /// nil if there is no such slot, or it could not be read.
    package var state: SlotState?
    /// Whether nil in ``state`` means that the slot does not exist.
    package var isKnown: Bool
    /// nil for a slot that is not known to be invalidated.
    package var invalidation: SlotInvalidation?
    /// Whether an ordinary connection has shown the slot.
    package var isAnswered: Bool
    /// `reserved`, `extended`, `unreserved` or `lost` (from 13); nil if it is not known.
    package var walStatus: String?
    /// Whether the slot may be invalidated, and nothing shows it.
    package var isUncertain = false

    /// Derives the slot's state from the answers. Pure.
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
            // A slot that was never used looks the same. From 18 on the server refuses to stream from an invalidated
            // slot.
            if sources.heldWAL {
                invalidation = SlotInvalidation()
            } else {
                isUncertain = !version.refusesInvalidatedSlots
            }
        } else {
            // Its position advances even if it is invalidated.
            isUncertain =
                version.keepsSlotsInvalidated && !version.refusesInvalidatedSlots && Self.limits(sources.sizeLimit)
        }
        // The position of an invalidated slot is only the flush position that it was last sent.
        if invalidation != nil { self.state?.restartLSN = nil }
    }

    /// Whether max_slot_wal_keep_size limits the WAL that slots hold; -1 means that it does not.
    private static func limits(_ setting: String?) -> Bool { setting != nil && setting != "-1" }

    /// Whether the replication connection alone does not settle the slot's state.
    package static func needsAnswer(_ version: ServerVersion, read: SlotState?) -> Bool {
        guard version.readsSlots else { return true }
        guard let read, read.kind == "physical" else { return false }
        return read.restartLSN == nil || (version.keepsSlotsInvalidated && !version.refusesInvalidatedSlots)
    }

    /// Reads the slot.
    ///
    /// - Parameters:
    ///   - session: A replication connection that is ready for a command.
    ///   - parameters: The login for the ordinary connection to the same server.
    ///   - heldWAL: Whether this slot, on this server, held WAL earlier.
    ///   - access: Whether an ordinary connection may be used.
    ///   - asksAlways: Whether to use the ordinary connection even if the replication connection seems sufficient.
    package static func take(
        _ name: String, _ session: Session, _ parameters: ConnectionParameters, _ interrupt: Interrupt,
        heldWAL: Bool = false, asksAlways: Bool = false, access: QueryAccess = QueryAccess()
    ) throws(UnderstudyError) -> SlotReading {
        let version = session.serverVersion
        var sources = Sources(version: version, heldWAL: heldWAL)
        if version.readsSlots { sources.read = try read(name, session) }
        if asksAlways || needsAnswer(version, read: sources.read) {
            sources.answer = try? OrdinaryConnection.ask(
                WatchQuery(version: version, slot: name), parameters, interrupt, access)
            if sources.answer == nil, version.invalidatesSlots {
                // A peer that answers without knowing this setting has no such limit.
                do throws(UnderstudyError) { sources.sizeLimit = try session.show("max_slot_wal_keep_size") } catch {
                    if error.code == .connection || error.code == .cancelled { throw error }
                }
            }
        }
        return SlotReading(sources)
    }

    /// Reads the slot over the replication connection alone (servers from 15).
    package static func read(_ name: String, _ session: Session) throws(UnderstudyError) -> SlotState? {
        do throws(UnderstudyError) {
            return try session.ask(.readSlot(name))
        } catch  where error.sqlState == "0A000" {
            // The server refuses to read a logical slot, and gives no hint.
            return SlotState(kind: "logical")
        }
    }
}
