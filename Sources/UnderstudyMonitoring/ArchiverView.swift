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
    /// A server that is there has said something by then, or answered.
    var maxSilence: Duration?
    var history = LagHistory()
    /// The moment, by both clocks.
    var now: ContinuousClock.Instant
    var time: UTCTime
    /// Puts a remedy into words.
    var words: @Sendable (Remedy) -> String = \.description

    /// Why the archiver is not ready; nil if it streams, and lags by no more than it may.
    var unreadiness: String? {
        switch status.phase {
        case .streaming, .catchingUp: return waiting ?? lagging
        case .stopped: return "is not running"
        case .connecting: return "is connecting"
        case .waiting: return "has no connection, and waits to try again"
        case .stalled: return "has no room for what the server sends"
        }
    }

    private var waiting: String? {
        let longest = WALArchiver.Status.longestWait
        if let wait = status.storageWait, wait > longest {
            return "has waited \(Quantity.clock(wait)) for the archive's storage: a write or sync does not return"
        }
        if let wait = status.receiptWait, wait > longest {
            return "has received nothing for \(Quantity.clock(wait)), though the server has WAL up to \(status.server)"
        }
        guard let maxSilence, let silence = status.silence, silence > maxSilence else { return nil }
        return "has heard nothing from the server for \(Quantity.clock(silence))"
    }

    private var lagging: String? {
        guard let maxLag, status.lagBytes > maxLag else { return nil }
        return "lags by \(Quantity.bytes(status.lagBytes)), more than \(Quantity.bytes(maxLag))"
    }

    /// nil without a connection.
    var lag: (bytes: UInt64, time: Duration)? { status.lagIfKnown }

    /// The time of day of an instant.
    func time(of instant: ContinuousClock.Instant) -> UTCTime { time.earlier(by: now - instant) }
}
