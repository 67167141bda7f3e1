import Logging
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyWAL

/// Looks every few seconds whether a stream waits for its storage or for WAL that the server has, says so in the log, and keeps
/// the gauges of that up to date. It works while the threads of the stream are held up.
final class StreamWatch: PooledWork {
    private let archiver: WALArchiver
    /// Those of no file system and no server, since either may not answer.
    private let lane = HelperPool.shared.lane(.process)
    private let limit: Duration

    private struct State {
        var storage = WaitWarning(), receipt = WaitWarning()
        /// What is to be logged.
        var news: [News] = []
        var isScheduled = false
        var ticket: Timers.Ticket?
    }

    private enum News {
        case storageWaits(Duration), storageAnswers
        case receiptWaits(Duration, received: LSN, server: LSN), receiptGoesOn
    }

    private let state = Monitor(State())

    private static let interval = Duration.seconds(5)

    /// - Parameter limit: Waits that take longer are logged.
    init(_ archiver: WALArchiver, limit: Duration = WALArchiver.Status.longestWait) {
        self.archiver = archiver
        self.limit = limit
    }

    func start() {
        archiver.state.sampleWaits()
        let ticket = Timers.shared.every(Self.interval) { [weak self] in self?.look() }
        state.change { $0.ticket = ticket }
    }

    func stop() {
        state.change { $0.ticket.take() }?.cancel()
        archiver.state.sampleWaits()
    }

    /// Waits for nothing: what is to be logged is logged by another thread.
    func look() {
        archiver.state.sampleWaits()
        let status = archiver.state.status
        state.change { state in
            switch state.storage.note(status.storageWait, limit: limit) {
            case .tooLong(let wait): state.news.append(.storageWaits(wait))
            case .over: state.news.append(.storageAnswers)
            case nil: break
            }
            // Who waits for the storage reads nothing.
            let wait = state.storage.isTold ? nil : status.receiptWait
            switch state.receipt.note(wait, limit: limit) {
            case .tooLong(let wait):
                state.news.append(.receiptWaits(wait, received: status.received, server: status.server))
            case .over where !state.storage.isTold: state.news.append(.receiptGoesOn)
            case .over, nil: break
            }
            guard !state.news.isEmpty, !state.isScheduled else { return }
            state.isScheduled = lane.schedule(self)
        }
    }

    func runSlice() -> Bool {
        let news = state.change { state in
            defer { state.news = [] }
            return state.news
        }
        for news in news { log(news) }
        return state.change { state in
            state.isScheduled = !state.news.isEmpty
            return state.isScheduled
        }
    }

    private func log(_ news: News) {
        let (place, logger) = (archiver.place, archiver.logger)
        switch news {
        case .storageWaits(let wait):
            logger.warning(
                "the storage of \(place) has not answered for \(wait.components.seconds) seconds",
                metadata: .event(
                    .storageWaits,
                    [
                        "seconds": .number(wait),
                        "detail":
                            "A write or sync does not return. Nothing more is acknowledged until it does, and the server keeps the WAL.",
                        "hint":
                            "See the kernel's log (dmesg), the way to a disk over the network, and whether the file system is frozen (fsfreeze).",
                    ]))
        case .storageAnswers:
            logger.notice("the storage of \(place) answers again, going on", metadata: .event(.storageAnswers))
        case .receiptWaits(let wait, let received, let server):
            logger.warning(
                "the server has WAL up to \(server), but has sent nothing beyond \(received) for \(wait.components.seconds) seconds",
                metadata: .event(
                    .receiptWaits,
                    [
                        "seconds": .number(wait), "receivedLSN": .position(received), "serverLSN": .position(server),
                        "hint":
                            "See on the server whether its WAL sender runs and waits (SELECT * FROM pg_stat_replication;), and whether the network loses what it sends.",
                    ]))
        case .receiptGoesOn: logger.notice("WAL comes again", metadata: .event(.receiptGoesOn))
        }
    }
}

/// Decides when to tell of a wait: once when it is too long, and once when it is over. Pure.
struct WaitWarning {
    enum News: Equatable {
        case tooLong(Duration)
        case over
    }

    private(set) var isTold = false

    /// - Parameter wait: nil if nobody waits.
    mutating func note(_ wait: Duration?, limit: Duration) -> News? {
        if let wait, wait > limit {
            defer { isTold = true }
            return isTold ? nil : .tooLong(wait)
        }
        defer { isTold = false }
        return isTold ? .over : nil
    }
}
