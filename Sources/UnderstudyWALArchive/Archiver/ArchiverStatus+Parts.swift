import UnderstudyCore
import UnderstudyProtocol
import UnderstudyStreaming
public import UnderstudyWAL

extension WALArchiver.Status {
    /// An archiver's slot, as the server last showed it.
    ///
    /// Source: PostgreSQL manual, "pg_replication_slots".
    public struct Slot: Sendable, Equatable, Codable {
        public var name: String
        /// From where on the server keeps WAL for it; nil if that is not known, or nowhere.
        public var restartLSN: LSN?
        /// `reserved`, `extended`, `unreserved` or `lost`; nil before 13, and without an ordinary connection.
        public var walStatus: String?
        /// Bytes that may still be written before the slot can lose WAL; nil if there is no limit, or it is not known.
        public var safeBytes: Int64?
        /// Whether the server has invalidated it.
        public var isInvalidated = false
        /// The server's word for why, if it gives one.
        public var invalidationReason: String?

        public init(name: String) {
            self.name = name
        }
    }

    /// What an archive holds.
    public struct Holdings: Sendable, Equatable, Codable {
        /// Where its first segment begins; nil if it is empty, or the destination does not tell.
        public var begin: WALPosition?
        /// How far it goes; nil if it is empty.
        public var end: WALPosition?
        /// What is missing in between, oldest first: recorded, or found when the archiver began. A restore cannot pass
        /// through it.
        public var gaps: [WALGap] = []

        public init() {}

        /// A segment that is received again does not take the end back.
        mutating func advance(to position: WALPosition) {
            guard position.lsn != .invalid else { return }
            if let end, !position.isBeyond(end) { return }
            end = position
        }
    }

    mutating func note(_ error: UnderstudyError) {
        lastError = error
        lastErrorAt = .now
    }
}

extension ArchiverState {
    /// Notes the slot as it was when the connection was made.
    func note(_ slot: ArchiverSlot) {
        guard let name = slot.name else { return }
        change { status in
            var known = status.slot ?? WALArchiver.Status.Slot(name: name)
            known.restartLSN = slot.restart?.lsn
            known.isInvalidated = slot.invalidation != nil
            known.invalidationReason = slot.invalidation?.reason
            status.slot = known
        }
    }

    /// Notes the slot as an ordinary connection shows it.
    func note(_ slot: String, _ answer: WatchQuery.Answer) {
        change { status in
            var known = WALArchiver.Status.Slot(name: slot)
            known.restartLSN = answer.slot?.restartLSN
            known.walStatus = answer.walStatus
            known.safeBytes = answer.safeSize
            known.isInvalidated = answer.invalidation != nil
            known.invalidationReason = answer.invalidationReason
            status.slot = known
        }
    }

    /// - Parameter missing: What was found to be missing without a record, at whichever connection looked for that.
    func note(_ holdings: WALHoldings, missing: [WALGap]) {
        change { status in
            var known = WALArchiver.Status.Holdings()
            known.begin = holdings.begin
            known.end = holdings.end ?? holdings.next
            known.gaps = Set(holdings.gaps + missing).sorted { $0.start.lsn < $1.start.lsn }
            status.holdings = known
        }
    }

    func note(_ gap: WALGap) {
        change { $0.holdings?.gaps.append(gap) }
    }
}
