import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// Raises the limit up to which the WAL stream of a base backup reports WAL as flushed, as long as no commit on the
/// server can return because of that.
///
/// A backup in progress may be removed at any moment, so it must never count as a synchronous standby. A WAL sender can
/// become one as soon as it has received any flush position, if `synchronous_standby_names` contains its
/// application_name or `*`. So nothing is reported unless that setting is empty; and because it can change at any time,
/// the limit is where the server's WAL ended before the setting was last seen empty: no commit waits for anything
/// before that.
///
/// Each check uses a new connection: the stream's own is busy, and holding a second one would take up another WAL
/// sender. After a check fails, as when no WAL sender is free, there are no more: each refusal is a line in the
/// server's log, and once the limit is withdrawn, no report can follow.
final class FlushLimit: Sendable {
    private let stopped = Interrupt()
    /// nil if no thread could be created: then nothing is checked, and nothing is reported.
    private let thread: OwnThread?

    /// Starts checking; ``stop()`` must follow.
    ///
    /// - Parameters:
    ///   - receiver: Receives each new limit. Its first limit is the position in `identity`.
    ///   - identity: The server's position before the setting was first seen empty.
    init(of receiver: WALReceiver, parameters: ConnectionParameters, identity: SystemIdentity, logger: Logger) {
        let stopped = stopped
        @Sendable func end(_ reason: String) {
            receiver.limitFlush(to: .invalid)
            logger.info("\(reason), so no flush position is reported from now on", metadata: .own)
        }
        do throws(FileIOError) {
            thread = try OwnThread("flush limit") {
                var pause = Self.firstPause
                while Interrupt.wait(socket: -1, events: 0, interrupts: [stopped], timeout: pause) == .timedOut {
                    pause = min(pause * 2, Self.longestPause)
                    do throws(UnderstudyError) {
                        let seen = try Self.observe(parameters, identity, stopped)
                        guard seen.isNobodyWaiting else { return end("synchronous_standby_names was set") }
                        receiver.limitFlush(to: seen.position)
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
    /// Also the longest time that a stream can keep commits waiting if it reported a flush before the setting was made.
    private static let longestPause = Duration.seconds(30)

    func stop() {
        stopped.raise()
        thread?.join()
    }

    /// Reads the position before the setting: WAL before that position was written while no commit waited.
    private static func observe(
        _ parameters: ConnectionParameters, _ known: SystemIdentity, _ interrupt: Interrupt
    ) throws(UnderstudyError) -> (position: LSN, isNobodyWaiting: Bool) {
        let session: Session
        do throws(ConnectionError) {
            session = try Session.connect(
                parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                silenceLimit: longestPause)
        } catch { throw UnderstudyError(error) }
        let identity = try session.ask(.identifySystem)
        guard identity.systemIdentifier == known.systemIdentifier else {
            throw UnderstudyError(.connection, "another database cluster answered")
        }
        return (identity.position, try session.showsNoSynchronousStandby())
    }
}

extension Session {
    /// Whether no commit waits for any standby. False if unknown: servers before 10 do not show the setting.
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
