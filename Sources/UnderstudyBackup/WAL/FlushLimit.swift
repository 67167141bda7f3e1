import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
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
/// Where the server cannot be asked once, as where it has no WAL sender to spare, it is not asked again: each refusal is a line
/// in its log, and after a report was taken back none can follow.
final class FlushLimit: Sendable {
    private let stopped = Interrupt()
    /// nil where none could be had: then nothing watches, and nothing is told.
    private let thread: OwnThread?

    /// Begins to watch; ``stop()`` must follow.
    ///
    /// - Parameters:
    ///   - receiver: Gets each new limit. Its first one is the position in `identity`.
    ///   - identity: Where the server was before the setting was first seen empty.
    init(of receiver: WALReceiver, parameters: ConnectionParameters, identity: SystemIdentity, logger: Logger) {
        let stopped = stopped
        @Sendable func end(_ reason: String) {
            receiver.limitFlush(to: .invalid)
            logger.info("\(reason), so no flush position is reported from now on")
        }
        do throws(FileIOError) {
            thread = try OwnThread("flush limit") {
                var pause = Self.firstPause
                while Interrupt.wait(socket: -1, events: 0, interrupts: [stopped], timeout: pause) == .timedOut {
                    pause = min(pause * 2, Self.longestPause)
                    do throws(UnderstudyError) {
                        let look = try Self.look(parameters, identity, stopped)
                        guard look.isNobodyWaiting else { return end("synchronous_standby_names was set") }
                        receiver.limitFlush(to: look.position)
                    } catch {
                        if stopped.isRaised { return }
                        return end("synchronous_standby_names could not be asked for again (\(error.message))")
                    }
                }
            }
        } catch {
            thread = nil
            end("synchronous_standby_names cannot be watched (\(error))")
        }
    }

    private static let firstPause = Duration.seconds(1)
    /// Also how long a stream can keep commits waiting, if it was told of as flushed before the setting was made.
    private static let longestPause = Duration.seconds(30)

    func stop() {
        stopped.raise()
        thread?.join()
    }

    /// The position comes first: what was written before it was written before nobody waited.
    private static func look(
        _ parameters: ConnectionParameters, _ known: SystemIdentity, _ interrupt: Interrupt
    ) throws(UnderstudyError) -> (position: LSN, isNobodyWaiting: Bool) {
        let session: Session
        do throws(ConnectionError) {
            session = try Session.connect(
                parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                patience: longestPause)
        } catch { throw UnderstudyError(error) }
        let identity = try session.ask(ReplicationCommand.identifySystem) { rows throws(ProtocolError) in
            try SystemIdentity(rows)
        }
        guard identity.systemIdentifier == known.systemIdentifier else {
            throw UnderstudyError(.connection, "another database cluster answered")
        }
        return (identity.position, try session.showsNoSynchronousStandby())
    }
}

extension Session {
    /// Whether no commit waits for any standby. False where that is not known: before 10 the server does not tell.
    func commitsWaitForNobody() throws(UnderstudyError) -> Bool {
        guard serverVersion.showsSettings else { return false }
        do throws(UnderstudyError) { return try showsNoSynchronousStandby() } catch  where error.code == .server {
            return false
        }
    }

    fileprivate func showsNoSynchronousStandby() throws(UnderstudyError) -> Bool {
        try show("synchronous_standby_names").allSatisfy(\.isWhitespace)
    }
}
