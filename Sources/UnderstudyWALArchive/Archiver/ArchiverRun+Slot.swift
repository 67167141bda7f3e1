import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// Handles a slot that the server has invalidated, and the gap that it may leave.
extension ArchiverRun {
    /// Chooses where the stream begins, once it is certain that the slot holds WAL or that there is no slot.
    ///
    /// An invalidated slot ends the run, unless it is to be recreated: then the stream continues where the server still
    /// has WAL, and the WAL missing before that is recorded.
    mutating func begin(
        _ session: Session, _ server: ServerFacts, _ slot: inout ArchiverSlot, _ history: [UInt8]?,
        _ holdings: WALHoldings
    ) throws(UnderstudyError) -> WALPosition {
        let choice = ArchiverStart(
            options: options, identity: server.identity, segmentSize: server.segmentSize, history: history)
        let start = try choice.position(holdings: holdings, restart: slot.restart)
        let available = AvailableWAL(session: session, server: server, history: history)
        let past = TimelineHistory.of(server.identity, history)
        let held = holdings.next.map { holdings.heldEnd(from: $0, past) }
        if let name = slot.name, slot.isLost {
            if let invalidation = slot.invalidation {
                state.tell(.slotInvalidated(slot: name, reason: invalidation.reason))
                guard options.recreatesSlot else {
                    let held = holdings.next == nil ? nil : holdings.heldEnd(from: start, past)
                    throw InvalidatedSlot.explain(invalidation, name, held, past) { try? available.oldest(from: start) }
                }
                logger.warning(
                    "\(InvalidatedSlot.message(invalidation, name))",
                    metadata: .event(.slotInvalidated, ["slot": "\(name)"]))
            } else if slot.isEmpty {
                logger.warning(
                    "replication slot \"\(name)\" holds no WAL: it was never used, or the server has invalidated it",
                    metadata: .event(.slotEmpty, ["slot": "\(name)"]))
            }
            try slot.recreate(session, server, logger: logger)
            let start = try choice.position(holdings: holdings, restart: slot.restart)
            return try bridge(from: held, to: start, available, past, noted: nil)
        }
        if let gap = holdings.gapAtEnd(server.segmentSize, past), start.lsn < gap.end.lsn {
            return try bridge(from: held, to: start, available, past, noted: gap)
        }
        return start
    }

    /// Records the WAL after the end of the archive that the server no longer has.
    ///
    /// - Returns: Where the stream can begin.
    private mutating func bridge(
        from end: WALPosition?, to start: WALPosition, _ available: AvailableWAL, _ history: TimelineHistory?,
        noted: WALGap?
    ) throws(UnderstudyError) -> WALPosition {
        guard let end else { return start }
        let oldest: WALPosition?
        do throws(ConnectionError) { oldest = try available.oldest(from: start) } catch { throw UnderstudyError(error) }
        // If that is unknown, the server refuses the stream with its own message.
        guard let oldest else { return start }
        let gap = WALGap(start: end, end: oldest)
        guard gap.start.lsn < gap.end.lsn else { return oldest }
        if gap.end != noted?.end {
            do throws(WALDestinationError) { try archiver.destination.noteGap(gap) } catch {
                throw UnderstudyError(error)
            }
            state.note(gap)
            state.tell(.gap(gap))
            metrics.noteGap()
            say(gap, history)
        }
        return oldest
    }

    /// Logs a gap: when it is recorded, and at every start.
    mutating func say(_ gap: WALGap, _ history: TimelineHistory?) {
        say(gap, history, "is missing from the archive", "The server had removed it before it was received.")
    }

    /// Logs the gaps of the archive, at every start.
    mutating func sayGaps(of holdings: WALHoldings, _ history: TimelineHistory?) {
        for gap in holdings.gaps.prefix(TruncatedList.shown) { say(gap, history) }
        if holdings.gaps.count > TruncatedList.shown {
            let more = holdings.gaps.count - TruncatedList.shown
            logger.warning(
                "\(more) more gaps are noted in the archive", metadata: .event(.gap, ["count": .number(more)]))
        }
        for gap in holdings.missing.prefix(TruncatedList.shown) {
            say(gap, history, WALArchiver.flaw(of: place), WALArchiver.missingDetail)
        }
        if holdings.missing.count > TruncatedList.shown {
            let more = holdings.missing.count - TruncatedList.shown
            logger.warning(
                "WAL is missing in \(place) in \(more) more places", metadata: .event(.gap, ["count": .number(more)]))
        }
    }

    private var place: String { archiver.place }

    private mutating func say(_ gap: WALGap, _ history: TimelineHistory?, _ flaw: String, _ detail: String) {
        if slotTracker.isNew(gap) { archiver.warn(of: gap, history, flaw, detail) }
    }
}

extension InvalidatedSlot {
    static func message(_ invalidation: SlotInvalidation, _ name: String) -> String {
        "replication slot \"\(name)\" was invalidated by the server"
            + (invalidation.reason.map { " (\($0))" } ?? "")
    }

    /// The error for an invalidated slot, with advice.
    ///
    /// - Parameters:
    ///   - held: The end of the archive; nil if it is empty.
    ///   - history: The history of the server's timeline, if it is known.
    ///   - oldest: Finds the position from which the server still has WAL, as far as the archive needs it.
    static func explain(
        _ invalidation: SlotInvalidation, _ name: String, _ held: WALPosition?, _ history: TimelineHistory?,
        _ oldest: () -> WALPosition?
    ) -> UnderstudyError {
        var failure = UnderstudyError(.slotInvalidated, message(invalidation, name))
        let anew = "\(SlotSQL.drop(name)) \(SlotSQL.create(name, on: nil))"
        guard let held else {
            failure.detail = "It holds no WAL any more. The archive is empty, so nothing is missing from it."
            failure.remedy =
                "Go on with \(.recreateSlot(name)), which drops the slot and makes it anew, or do that on the server: \(anew)"
            return failure
        }
        let oldest = oldest()
        if let oldest, oldest.lsn <= held.lsn {
            failure.detail =
                "It holds no WAL any more. The server still has all from \(oldest.lsn) (timeline \(oldest.timeline)) on, where the archive ends: nothing is lost so far."
            failure.remedy =
                "Go on soon with \(.recreateSlot(name)), which drops the slot and makes it anew, or do that on the server: \(anew)"
            return failure
        }
        failure.detail =
            "\(MissingWAL(from: held, to: oldest, history: history)) is not in the archive, and lost to it."
        let from: Remedy = oldest.map { " and go on with \(.startLSN($0.lsn))." } ?? ""
        failure.remedy =
            "Fetch it from another archive of this cluster. If there is none, go on with \(.recreateSlot(name)), which drops the slot, makes it anew and notes the gap, or do that on the server: \(anew)\(from) A restore cannot pass through the gap: take a new base backup."
        return failure
    }
}
