import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming

extension BackupSlot {
    /// How long to wait for a server that does not answer: it may be restarting.
    private static let longestWait = Duration.seconds(60)
    /// The same if the run was cancelled from outside.
    private static let longestHurriedWait = Duration.seconds(4)

    /// Drops a slot that this run created; retries until the server answers or time runs out.
    ///
    /// - Parameters:
    ///   - silenceLimit: How long the server may be silent; at most, and by default, a minute.
    ///   - hurry: Raised when the run is cancelled from outside.
    ///   - note: The directory whose mark records the slot for the next run; nil if there is none.
    /// - Returns: Whether the slot is gone. If not, a warning gave the command that drops it.
    func dropMade(
        _ parameters: ConnectionParameters, silenceLimit: Duration?, hurry: Interrupt, note: String?, logger: Logger
    ) -> Bool {
        guard let made else { return true }
        var parameters = parameters
        let given = parameters["connect_timeout"].flatMap { Int($0) } ?? 0
        if given <= 0 { parameters["connect_timeout"] = "10" }
        let clock = ContinuousClock()
        var deadline = clock.now + min(Self.longestWait, silenceLimit ?? Self.longestWait), isHurried = false
        var backoff = Backoff(), random = SystemRandomNumberGenerator(), hasSaid = false
        while true {
            if hurry.isRaised, !isHurried {
                isHurried = true
                deadline = min(deadline, clock.now + Self.longestHurriedWait)
                parameters["connect_timeout"] = "3"
            }
            // The interrupt that ended the run does not end this, but a cancellation that comes now shortens it.
            let interrupt = isHurried ? Interrupt() : hurry
            do throws(ConnectionError) {
                let session = try Session.connect(
                    parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                    silenceLimit: .seconds(20))
                try session.dropSlotOnceFree(made, until: deadline)
                logger.info("dropped replication slot \"\(made)\"")
                return true
            } catch {
                if error.sqlState == "42704" { return true }
                if error.code == .interrupted, !isHurried { continue }
                guard Self.mayPass(error), clock.now < deadline else {
                    let place: Remedy =
                        note.map { " The mark in \"\($0)\" notes it: \(.forceClean) removes both." } ?? ""
                    let hint: Remedy =
                        "It holds WAL on the primary until it is dropped there: \(SlotSQL.drop(made))\(place)"
                    logger.warning(
                        "could not drop replication slot \"\(made)\": \(error.message)",
                        metadata: ["hint": .stringConvertible(hint)])
                    return false
                }
                if !hasSaid {
                    logger.notice("waiting for the server, to drop replication slot \"\(made)\": \(error.message)")
                    hasSaid = true
                }
            }
            _ = Interrupt.wait(
                socket: -1, events: 0, interrupts: isHurried ? [] : [hurry], timeout: backoff.pause(using: &random))
        }
    }

    /// Whether the failure may pass: the server is not reachable, starts or stops, has no free connection, or still
    /// uses the slot.
    static func mayPass(_ error: ConnectionError) -> Bool {
        switch error.code {
        case .unreachable, .timedOut, .lost, .stalled: true
        default: ["53300", "57P01", "57P02", "57P03", "55006"].contains(error.sqlState)
        }
    }
}
