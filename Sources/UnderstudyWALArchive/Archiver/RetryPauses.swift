import Logging
import UnderstudyCore
import UnderstudyProtocol
import UnderstudyStreaming

/// How long an archiver pauses before its next attempt, and what is said of that: an error once, and then reminders.
struct RetryPauses {
    private var backoff = Backoff()
    private var repeatedErrors = RepeatedErrorFilter()
    private var random = SystemRandomNumberGenerator()
    /// Whether an error was logged that ended the connection, and not that the stream goes on.
    var isKnownAsDisconnected = false

    /// Starts over with the shortest pause.
    mutating func noteProgress() {
        backoff.reset()
        repeatedErrors.reset()
    }

    /// Has the next error logged, whatever it is.
    mutating func noteStreamingAgain() {
        isKnownAsDisconnected = false
        repeatedErrors.reset()
    }

    /// Tells of the error and of the pause that follows.
    mutating func begin(after error: UnderstudyError, of archiver: WALArchiver) -> Duration {
        let (state, logger) = (archiver.state, archiver.logger)
        let pause = backoff.pause(using: &random)
        state.change { status in
            status.phase = .waiting
            status.note(error)
        }
        state.tell(.disconnected(error, retryAfter: pause))
        switch repeatedErrors.telling(error) {
        case .new:
            isKnownAsDisconnected = true
            logger.error("\(error.message)", metadata: .event(.disconnected, error.metadata))
            logger.notice("\(Self.waiting(pause))", metadata: .event(.waiting, ["seconds": .number(pause)]))
        case .reminder(let time):
            logger.notice(
                "no progress for \(time.components.seconds / 60) minutes, still trying: \(error.message)",
                metadata: .event(.stillDisconnected, isOwn: true, ["seconds": .number(time)]))
        case .nothing:
            logger.info("\(Self.waiting(pause))", metadata: .event(.waiting, ["seconds": .number(pause)]))
        }
        return pause
    }

    private static func waiting(_ pause: Duration) -> String {
        "disconnected; waiting \(pause.secondsText) seconds to try again"
    }
}
