import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming

extension SlotKeeper {
    /// How long a server that does not answer is waited for: it may be starting again.
    private static let longestWait = Duration.seconds(60)
    /// …where whoever ended the run waits for its end.
    private static let longestHurriedWait = Duration.seconds(4)

    /// Drops a slot that this run has made; tries again until the server answers, or time has run out.
    ///
    /// - Parameters:
    ///   - patience: How long a server may be silent; nil for as long as it takes.
    ///   - hurry: Raised when somebody waits for the end of the run.
    ///   - note: Where the slot is noted for the next run; nil for nowhere.
    /// - Returns: Whether there is no such slot any more. If there is, the user was told how it is dropped.
    func dropMade(
        _ parameters: ConnectionParameters, patience: Duration?, hurry: Interrupt, note: String?, logger: Logger
    ) -> Bool {
        guard let made else { return true }
        var parameters = parameters
        let given = parameters["connect_timeout"].flatMap { Int($0) } ?? 0
        if given <= 0 { parameters["connect_timeout"] = "10" }
        let clock = ContinuousClock()
        var deadline = clock.now + min(Self.longestWait, patience ?? Self.longestWait), isHurried = false
        var backoff = Backoff(), random = SystemRandomNumberGenerator(), hasSaid = false
        while true {
            if hurry.isRaised, !isHurried {
                isHurried = true
                deadline = min(deadline, clock.now + Self.longestHurriedWait)
                parameters["connect_timeout"] = "3"
            }
            // What ended the run does not end this, but what comes meanwhile makes it shorter.
            let interrupt = isHurried ? Interrupt() : hurry
            do throws(ConnectionError) {
                let session = try Session.connect(
                    parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                    patience: .seconds(20))
                try Self.drop(made, session, until: deadline)
                logger.info("dropped replication slot \"\(made)\"")
                return true
            } catch {
                if error.sqlState == "42704" { return true }
                if error.code == .interrupted, !isHurried { continue }
                guard Self.mayPass(error), clock.now < deadline else {
                    let place =
                        note.map { " The mark in \"\($0)\" notes it: --force-clean removes both." } ?? ""
                    logger.warning(
                        "could not drop replication slot \"\(made)\": \(error.message)",
                        metadata: [
                            "hint":
                                "It holds WAL on the primary until it is dropped there: \(SlotSQL.drop(made))\(place)"
                        ])
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

    /// The server is not there, starts or stops, or has no place just now.
    static func mayPass(_ error: ConnectionError) -> Bool {
        switch error.code {
        case .unreachable, .timedOut, .lost, .stalled: true
        default: ["53300", "57P01", "57P02", "57P03", "55006"].contains(error.sqlState)
        }
    }
}
