import UnderstudyCore
import UnderstudyPlatform
import UnderstudyWAL
import UnderstudyWALArchive

/// An archiver at one moment, as pages and programs are shown it.
struct ArchiverView: Sendable {
    var name: String
    var status: WALArchiver.Status
    /// ``WALArchiver/Options/maxLag``.
    var maxLag: UInt64?
    var history = LagHistory()
    /// The moment, by both clocks.
    var now: ContinuousClock.Instant
    var time: UTCTime
    /// Puts a remedy into words.
    var words: @Sendable (Remedy) -> String = \.description

    /// Why the archiver is not ready; nil if it streams, and lags by no more than it may.
    var unreadiness: String? {
        switch status.phase {
        case .streaming, .catchingUp:
            guard let maxLag, status.lagBytes > maxLag else { return nil }
            return
                "lags by \(Quantity.bytes(status.lagBytes)), more than \(Quantity.bytes(maxLag))"
        case .stopped: return "is not running"
        case .connecting: return "is connecting"
        case .waiting: return "has no connection, and waits to try again"
        case .stalled: return "has no room for what the server sends"
        }
    }

    /// Without a connection nobody tells how far the server is, and before the first acknowledgement there is nothing to
    /// count from.
    var lag: (bytes: UInt64, time: Duration)? { status.lagIfKnown }

    /// The time of day of an instant.
    func time(of instant: ContinuousClock.Instant) -> UTCTime { time.earlier(by: now - instant) }
}

extension WALArchiver.Status {
    package var lagIfKnown: (bytes: UInt64, time: Duration)? {
        guard connectedSince != nil, server != .invalid, acknowledged != .invalid else { return nil }
        return (lagBytes, lag)
    }
}
