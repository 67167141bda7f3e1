import Logging
import UnderstudyConnection
import UnderstudyProtocol
import UnderstudyReceiver
import UnderstudySource
import UnderstudyWAL

/// The slot of a stream: looked at, and made if that is wanted, before anything is written.
struct ArchiverSlot {
    let name: String?
    /// From here on the server keeps WAL for us, as far as that is known.
    private(set) var restart: (timeline: TimelineID?, lsn: LSN)?

    init(
        _ slot: WALArchiver.Slot, _ session: Session, _ server: ServerFacts, parameters: ConnectionParameters,
        state: ArchiverState, logger: Logger
    ) throws(UnderstudyError) {
        name = slot.name
        guard case .permanent(let name, let createIfMissing) = slot else { return }
        guard server.version.hasSlots else {
            throw UnderstudyError(
                .options, "server version \(server.version) has no replication slots",
                hint: "Leave the slot out, and set wal_keep_segments on the primary high enough instead.")
        }
        let isKnown: Bool
        var found: SlotState?
        if server.version.readsSlots {
            found = try Self.read(name, session)
            isKnown = true
        } else {
            (found, isKnown) = Self.lookUp(name, server, parameters.pinned(to: session), state)
        }
        if found == nil, createIfMissing {
            do throws(UnderstudyError) {
                try session.createSlot(name, temporary: false, reserveWAL: true)
                logger.info("created replication slot \"\(name)\"")
            } catch  where error.sqlState == "42710" && !isKnown {
                // It was there, which nothing could tell.
            }
            if server.version.readsSlots {
                found = try Self.read(name, session)
            }
        } else if found == nil, isKnown {
            throw UnderstudyError(
                .slot, "replication slot \"\(name)\" does not exist",
                hint:
                    "Make it with --create-slot, or on the server: SELECT pg_create_physical_replication_slot('\(name)', true);",
                sqlState: "42704")
        }
        if let found, found.kind != "physical" {
            throw Self.notPhysical(name, found.kind)
        }
        if let lsn = found?.restartLSN { restart = (found?.restartTimeline, lsn) }
    }

    private static func read(_ name: String, _ session: Session) throws(UnderstudyError) -> SlotState? {
        do throws(UnderstudyError) {
            return try session.ask(ReplicationCommand.readSlot(name), SlotState.decode)
        } catch  where error.sqlState == "0A000" {
            // The server does not read a logical slot, and has no hint.
            throw notPhysical(name, "logical")
        }
    }

    private static func notPhysical(_ name: String, _ kind: String) -> UnderstudyError {
        UnderstudyError(
            .slot, "cannot use replication slot \"\(name)\": it is a \(kind) slot, not a physical one",
            hint: "Name a physical slot, or let one be made under another name.")
    }

    /// Before 15 an ordinary connection tells, where one is allowed.
    private static func lookUp(
        _ name: String, _ server: ServerFacts, _ parameters: ConnectionParameters, _ state: ArchiverState
    ) -> (SlotState?, isKnown: Bool) {
        guard
            let answer = try? ServerWatch.ask(
                WatchQuery(version: server.version, slot: name), parameters, state.interrupt)
        else { return (nil, false) }
        return (answer.slot, true)
    }
}

extension Session {
    /// Makes a physical slot. An interrupt does not end it half-way, which would leave a slot that nobody knows of.
    func createSlot(_ name: String, temporary: Bool, reserveWAL: Bool) throws(UnderstudyError) {
        let command = ReplicationCommand.createSlot(
            name, temporary: temporary, reserveWAL: reserveWAL, version: serverVersion)
        do throws(ConnectionError) { _ = try runShielded(command) } catch {
            var failure = UnderstudyError(error, of: .slot)
            failure.message = "could not create replication slot \"\(name)\": \(failure.message)"
            throw failure
        }
    }
}

/// Chooses where a stream begins.
struct ArchiverStart {
    let options: WALArchiver.Options
    let identity: SystemIdentity
    let segmentSize: WALSegmentSize
    /// Of the server's timeline; nil where it is not known.
    let history: [UInt8]?

    /// The end of what is held, else where the slot begins, else where the server is; but not before the position that was
    /// asked for. Always a segment's start.
    ///
    /// - Parameter restart: Where the slot begins, if that is known.
    func position(
        holdings: WALHoldings, restart: (timeline: TimelineID?, lsn: LSN)?
    ) throws(UnderstudyError) -> WALPosition {
        let wanted = options.startLSN?.segmentStart(segmentSize)
        if let next = holdings.next {
            if let wanted, wanted > next.lsn { return try position(at: wanted) }
            return next
        }
        if let wanted { return try position(at: wanted) }
        if let restart {
            let start = restart.lsn.segmentStart(segmentSize)
            if let timeline = restart.timeline { return WALPosition(timeline: timeline, lsn: start) }
            return try position(at: start)
        }
        return WALPosition(
            timeline: identity.timeline, lsn: identity.position.segmentStart(segmentSize))
    }

    /// On the timeline that the server's history has there.
    private func position(at lsn: LSN) throws(UnderstudyError) -> WALPosition {
        guard let history else { return WALPosition(timeline: identity.timeline, lsn: lsn) }
        do throws(TimelineHistoryError) {
            let past = try TimelineHistory(parsing: history, of: identity.timeline)
            return WALPosition(timeline: past.timeline(of: lsn), lsn: lsn)
        } catch { throw UnderstudyError(.protocolViolation, error.message, detail: error.detail) }
    }
}
