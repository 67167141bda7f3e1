package import Logging
package import UnderstudyWAL

/// What an archiver logs, by names for programs: the metadata `event` of a line. The names are documented, and do not change; the
/// words of a line may.
package enum LoggedEvent: String, Sendable, CaseIterable {
    case connected
    case segmentFinished = "segment-finished"
    case timelineSwitched = "timeline-switched"
    case partialKept = "partial-kept"
    case disconnected
    /// An archiver of a group has ended.
    case failed
    case waiting
    case stillDisconnected = "still-disconnected"
    case streamingAgain = "streaming-again"
    case stalled
    case recovered
    case storageWaits = "storage-waits"
    case storageAnswers = "storage-answers"
    case receiptWaits = "receipt-waits"
    case receiptGoesOn = "receipt-goes-on"
    case lagging
    case replayAwaited = "replay-awaited"
    case diverged
    case gap
    case archiveFlaw = "archive-flaw"
    case notCompared = "not-compared"
    case historyMissing = "history-missing"
    case slotCreated = "slot-created"
    case slotDropped = "slot-dropped"
    case slotExists = "slot-exists"
    case slotUnused = "slot-unused"
    case slotInvalidated = "slot-invalidated"
    case slotEmpty = "slot-empty"
    case slotUncertain = "slot-uncertain"
    case nameAltered = "name-altered"
    case serverIsNewer = "server-is-newer"
    case serverMessage = "server-message"
}

extension Logger.Metadata {
    /// An event with its facts, under names that do not change either.
    ///
    /// - Parameter isOwn: Whether the stock tools say nothing of it, or another thing.
    package static func event(
        _ event: LoggedEvent, isOwn: Bool = false, _ facts: Logger.Metadata = [:]
    ) -> Logger.Metadata {
        var metadata = facts
        metadata["event"] = "\(event.rawValue)"
        return isOwn ? metadata.merging(Self.own) { $1 } : metadata
    }
}

extension Logger.MetadataValue {
    package static func position(_ lsn: LSN) -> Self { .stringConvertible(lsn) }
    package static func number(_ timeline: TimelineID) -> Self { .stringConvertible(timeline.rawValue) }
    package static func number(_ count: Int) -> Self { .stringConvertible(count) }
    /// In seconds.
    package static func number(_ duration: Duration) -> Self { .stringConvertible(Quantity.seconds(duration)) }
}
