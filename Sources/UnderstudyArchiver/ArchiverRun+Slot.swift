import Logging
import UnderstudyConnection
import UnderstudyProtocol
import UnderstudyReceiver
import UnderstudySource
import UnderstudyWAL

/// A slot that the server has given up, and the gap that it may leave.
extension ArchiverRun {
    /// Chooses where the stream begins, once it is sure that the slot holds WAL or is no slot.
    ///
    /// An invalidated slot ends the run, or is made anew if that is wanted: then the stream goes on where the server still
    /// has WAL, and what is missing before that is noted.
    mutating func begin(
        _ session: Session, _ server: ServerFacts, _ slot: inout ArchiverSlot, _ history: [UInt8]?,
        _ holdings: WALHoldings
    ) throws(UnderstudyError) -> WALPosition {
        let choice = ArchiverStart(
            options: options, identity: server.identity, segmentSize: server.segmentSize, history: history)
        let start = try choice.position(holdings: holdings, restart: slot.restart)
        let available = AvailableWAL(session: session, server: server, history: history)
        if let name = slot.name, slot.isLost {
            if let invalidation = slot.invalidation {
                state.tell(.slotInvalidated(slot: name, reason: invalidation.reason))
                guard options.recreatesSlot else {
                    throw LostSlot.explain(invalidation, name, holdings.next == nil ? nil : start) {
                        try? available.oldest(from: start)
                    }
                }
                logger.warning("\(LostSlot.message(invalidation, name))")
            } else if slot.isEmpty {
                logger.warning(
                    "replication slot \"\(name)\" holds no WAL: it was never used, or the server has invalidated it")
            }
            try slot.makeAnew(session, server, logger: logger)
            let start = try choice.position(holdings: holdings, restart: slot.restart)
            return try bridge(from: holdings.next, to: start, available, noted: nil)
        }
        // The run that noted the gap has not come to write anything behind it.
        if let gap = holdings.gaps.first(where: { $0.start.lsn == holdings.next?.lsn }), start.lsn < gap.end.lsn {
            return try bridge(from: holdings.next, to: start, available, noted: gap)
        }
        return start
    }

    /// Notes what the server has no more of, from the end of the archive on.
    ///
    /// - Returns: Where the stream can begin.
    private mutating func bridge(
        from end: WALPosition?, to start: WALPosition, _ available: AvailableWAL, noted: WALGap?
    ) throws(UnderstudyError) -> WALPosition {
        guard let end else { return start }
        let oldest: WALPosition?
        do throws(ConnectionError) { oldest = try available.oldest(from: start) } catch { throw UnderstudyError(error) }
        // Where that is not told, the server refuses the stream with its own words.
        guard let oldest else { return start }
        let gap = WALGap(start: end, end: oldest)
        guard gap.start.lsn < gap.end.lsn else { return oldest }
        if gap != noted {
            do throws(WALDestinationError) { try archiver.destination.noteGap(gap) } catch {
                throw UnderstudyError(error)
            }
            state.tell(.gap(gap))
            ArchiverMetrics.countGap()
            say(gap)
        }
        return oldest
    }

    /// Said when it is noted, and at every start.
    mutating func say(_ gap: WALGap) {
        guard slotCare.isNew(gap) else { return }
        logger.warning(
            "WAL from \(gap.start.lsn) up to \(gap.end.lsn) (timeline \(gap.start.timeline)) is missing from the archive",
            metadata: [
                "detail": "The server had removed it before it was received.",
                "hint":
                    "A restore cannot pass through it: take a new base backup, or put the segments of another archive of this cluster there.",
            ])
    }
}

extension LostSlot {
    static func message(_ invalidation: SlotInvalidation, _ name: String) -> String {
        "replication slot \"\(name)\" was invalidated by the server"
            + (invalidation.reason.map { " (\($0))" } ?? "")
    }

    /// - Parameters:
    ///   - start: Where the archive goes on; nil for one that is empty.
    ///   - oldest: Asks from where on the server has WAL.
    static func explain(
        _ invalidation: SlotInvalidation, _ name: String, _ start: WALPosition?, _ oldest: () -> WALPosition?
    ) -> UnderstudyError {
        var failure = UnderstudyError(.slotInvalidated, message(invalidation, name))
        let anew =
            "SELECT pg_drop_replication_slot('\(name)'); SELECT pg_create_physical_replication_slot('\(name)', true);"
        guard let start else {
            failure.detail = "It holds no WAL any more. The archive is empty, so nothing is missing from it."
            failure.hint =
                "Go on with --recreate-slot, which drops the slot and makes it anew, or do that on the server: \(anew)"
            return failure
        }
        let oldest = oldest()
        if oldest == start {
            failure.detail =
                "It holds no WAL any more. The server still has all from \(start.lsn) (timeline \(start.timeline)) on, where the archive ends: nothing is lost so far."
            failure.hint =
                "Go on soon with --recreate-slot, which drops the slot and makes it anew, or do that on the server: \(anew)"
            return failure
        }
        let end = oldest.map { "up to \($0.lsn)" } ?? "up to a position that the server does not tell"
        failure.detail =
            "WAL from \(start.lsn) \(end) (timeline \(start.timeline)) is not in the archive, and lost to it."
        failure.hint =
            "Fetch it from another archive of this cluster. If there is none, go on with --recreate-slot, which drops the slot, makes it anew and notes the gap, or do that on the server: \(anew)"
            + (oldest.map { " and go on with --start-lsn=\($0.lsn)." } ?? "")
            + " A restore cannot pass through the gap: take a new base backup."
        return failure
    }
}
