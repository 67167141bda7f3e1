import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol

/// Follows a backup that the server puts somewhere itself: it sends the names of archives and how far it is, and no
/// content.
struct CopyWatcher {
    private let session: Session
    private let meter: ProgressMeter
    /// Bytes that the server has processed.
    private var done: UInt64 = 0
    private var archives = 0

    init(session: Session, meter: ProgressMeter) {
        self.session = session
        self.meter = meter
    }

    mutating func watch() throws(UnderstudyError) {
        let reply: Session.Reply<ResultSet>
        do throws(ConnectionError) { reply = try session.nextResult() } catch { throw UnderstudyError(error) }
        guard reply == .copyOut else {
            throw UnderstudyError(.protocolViolation, "server did not begin the report of its progress")
        }
        while true {
            let step = try session.takeCopyData(failure: { UnderstudyError($0) }) { bytes throws(UnderstudyError) in
                try take(bytes)
            }
            if step == .ended { break }
        }
        if archives > 0 { meter.tablespaceDone() }
    }

    private mutating func take(_ bytes: RawSpan) throws(UnderstudyError) {
        let message: BackupMessage
        do throws(ProtocolError) { message = try BackupMessage(bytes) } catch { throw UnderstudyError(error) }
        switch message {
        case .archive:
            session.noteProgress()
            if archives > 0 { meter.tablespaceDone() }
            archives += 1
        case .progress(let now):
            // Without progress it says the same again and again.
            guard now > done else {
                do throws(ConnectionError) { return try session.checkProgress() } catch { throw UnderstudyError(error) }
            }
            session.noteProgress()
            meter.count(bytes: Int(clamping: now - done))
            done = now
        case .manifest: session.noteProgress()
        case .data:
            throw UnderstudyError(
                .protocolViolation, "server sent data of a backup that it was to put somewhere itself")
        }
    }
}
