import Logging
import UnderstudyConnection
import UnderstudyFileIO
import UnderstudyProtocol
import UnderstudyReceiver
import UnderstudySource
import UnderstudyWAL

/// Moves the limit up to which the WAL stream of a base backup tells WAL as flushed, as long as no commit on the server can
/// return because of that.
///
/// A copy under way may be removed the next moment, so it must never count as a synchronous standby. A WAL sender can be one
/// as soon as it was told any flush position, if `synchronous_standby_names` has its application_name or a `*`. So nothing is
/// told unless that setting is empty; and as it can change at any time, the limit is where the server's WAL ended before the
/// setting was last seen empty: nobody waits for anything before that.
///
/// Asked is over a new connection each time: the stream's own is busy, and one more that is held would take another's place.
final class FlushLimit: Sendable {
    private let stopped = Interrupt()
    private let thread: OwnThread

    /// Begins to watch; ``stop()`` must follow.
    ///
    /// - Parameters:
    ///   - receiver: Gets each new limit. Its first one is the position in `identity`.
    ///   - identity: Where the server was before the setting was first seen empty.
    init(
        of receiver: WALReceiver, parameters: ConnectionParameters, identity: SystemIdentity, patience: Duration?,
        logger: Logger
    ) {
        let stopped = stopped
        thread = OwnThread("flush limit") {
            var pause = Self.firstPause
            while Interrupt.wait(socket: -1, events: 0, interrupts: [stopped], timeout: pause) == .timedOut {
                pause = min(pause * 2, Self.longestPause)
                guard
                    let session = try? Session.connect(
                        parameters, kind: .replication, applicationName: "understudy", interrupt: stopped,
                        patience: patience),
                    let look = try? Self.look(session), look.identity.systemIdentifier == identity.systemIdentifier
                else { continue }
                guard look.isNobodyWaiting else {
                    logger.info("synchronous_standby_names was set, so no flush position is reported from now on")
                    receiver.limitFlush(to: .invalid)
                    return
                }
                receiver.limitFlush(to: look.identity.position)
            }
        }
    }

    private static let firstPause = Duration.seconds(1)
    /// Also how long a stream can keep commits waiting, if it was told of as flushed before the setting was made.
    private static let longestPause = Duration.seconds(30)

    func stop() {
        stopped.raise()
        thread.join()
    }

    /// The position comes first: what was written before it was written before nobody waited.
    private static func look(_ session: Session) throws(UnderstudyError) -> (
        identity: SystemIdentity, isNobodyWaiting: Bool
    ) {
        let identity = try session.ask(ReplicationCommand.identifySystem) { rows throws(ProtocolError) in
            try SystemIdentity(rows)
        }
        return (identity, try session.commitsWaitForNobody())
    }
}

extension Session {
    /// Whether no commit waits for any standby. False where that is not known: before 10 the server does not tell.
    func commitsWaitForNobody() throws(UnderstudyError) -> Bool {
        guard serverVersion.showsSettings else { return false }
        do throws(UnderstudyError) {
            return try show("synchronous_standby_names").allSatisfy(\.isWhitespace)
        } catch  where error.code == .server {
            return false
        }
    }
}
