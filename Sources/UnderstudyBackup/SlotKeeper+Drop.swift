import Logging
import UnderstudyConnection
import UnderstudyFileIO
import UnderstudyProtocol
import UnderstudyReceiver
import UnderstudySource

extension SlotKeeper {
    /// How long a server that does not answer is waited for: it may be starting again.
    private static let longestWait = Duration.seconds(60)
    /// …where whoever ended the run waits for its end.
    private static let longestHurriedWait = Duration.seconds(4)

    /// Drops a slot that this run has made; tries again until the server answers, or time has run out.
    ///
    /// - Parameters:
    ///   - patience: How long a server may be silent; nil for as long as it takes.
    ///   - isHurried: Whether somebody has asked for the end of the run.
    ///   - note: Where the slot is noted for the next run; nil for nowhere.
    /// - Returns: Whether there is no such slot any more. If there is, the user was told how it is dropped.
    func dropMade(
        _ parameters: ConnectionParameters, patience: Duration?, isHurried: Bool, note: String?, logger: Logger
    ) -> Bool {
        guard let made else { return true }
        var parameters = parameters
        let given = parameters["connect_timeout"].flatMap { Int($0) } ?? 0
        if given <= 0 { parameters["connect_timeout"] = "10" }
        if isHurried { parameters["connect_timeout"] = "3" }
        let longest = isHurried ? Self.longestHurriedWait : Self.longestWait
        let clock = ContinuousClock(), deadline = clock.now + min(longest, patience ?? longest)
        var backoff = Backoff(), random = SystemRandomNumberGenerator(), hasSaid = false
        // The interrupt that ended the run does not end this.
        let interrupt = Interrupt()
        while true {
            do throws(ConnectionError) {
                let session = try Session.connect(
                    parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                    patience: .seconds(20))
                try Self.drop(made, session, until: deadline)
                logger.info("dropped replication slot \"\(made)\"")
                return true
            } catch {
                if error.sqlState == "42704" { return true }
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
            _ = Interrupt.wait(socket: -1, events: 0, interrupts: [], timeout: backoff.pause(using: &random))
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
