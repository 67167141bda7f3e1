import Logging
import UnderstudyCore
import UnderstudyWAL

// How gaps are logged.

extension WALArchiver {
    /// What messages call the archive.
    var place: String { (destination as? WALDirectory).map { "\"\($0.path)\"" } ?? "the archive" }

    static func flaw(of place: String) -> String { "is not in complete segments of \(place)" }
    static let missingDetail = "A restore ends there."

    func warn(of gap: WALGap, _ history: TimelineHistory?, _ flaw: String, _ detail: String) {
        let range = MissingWAL(from: gap.start, to: gap.end, history: history)
        logger.warning(
            "\(range) \(flaw)",
            metadata: .event(
                .gap,
                [
                    "startLSN": .position(gap.start.lsn), "endLSN": .position(gap.end.lsn),
                    "timeline": .number(gap.end.timeline), "detail": "\(detail)",
                    "hint":
                        "If the segments are still in the server's pg_wal or in another archive of this cluster, copy them into \(place). If they are not, a restore cannot pass through the gap: take a new base backup, which begins behind it.",
                ]))
    }
}
