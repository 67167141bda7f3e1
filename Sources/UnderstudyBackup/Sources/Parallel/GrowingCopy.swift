import Logging
import Synchronization
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform

/// The connections that copy, of which there may be more with time: see ``ConnectionGrowth``.
final class GrowingCopy<Sink: BackupSink>: Sendable {
    private let work: BackupWork
    private let crew: BackupCrew
    private let sink: Sink
    private let copying = Atomic(0)
    /// Whether a further connection was refused.
    private let isRefused = Atomic(false)

    init(_ work: BackupWork, _ crew: BackupCrew, _ sink: Sink) {
        self.work = work
        self.crew = crew
        self.sink = sink
    }

    /// Starts a thread that copies over an open connection.
    func start(_ session: Session) throws(UnderstudyError) {
        try crew.start { () throws(UnderstudyError) in
            session.takeTurn()
            try self.copy(session)
        }
    }

    /// Starts a thread that opens a connection, and copies over that. If there is none to be had, the others do the work.
    private func startAnother() throws(UnderstudyError) {
        try crew.start { () throws(UnderstudyError) in
            let session: Session
            do throws(UnderstudyError) { session = try self.work.connections.openToCopy() } catch {
                if self.work.interrupt.isRaised { return }
                self.isRefused.store(true, ordering: .relaxed)
                self.work.logger.info(
                    "another connection to copy over was not to be had: \(error.message)", metadata: .own)
                return
            }
            try self.copy(session)
        }
    }

    private func copy(_ session: Session) throws(UnderstudyError) {
        copying.add(1, ordering: .relaxed)
        defer { copying.subtract(1, ordering: .relaxed) }
        var worker = BackupWorker(work, session, feeder: try sink.makeFeeder())
        try worker.run()
    }

    /// Adds connections if that is worth it.
    ///
    /// - Returns: Whether it may become so later.
    func sample(_ growth: inout ConnectionGrowth, at time: Duration) throws(UnderstudyError) -> Bool {
        if isRefused.load(ordering: .relaxed) { growth.settle() }
        let more = growth.note(
            bytes: work.meter.bytesDone, at: time, copying: copying.load(ordering: .relaxed),
            isHeldBack: work.pacer?.hasHeldBack ?? false)
        if more > 0 {
            work.logger.info("\(growth.count) connections copy", metadata: .own)
            for _ in 0..<more { try startAnother() }
        }
        return !growth.isSettled
    }
}
