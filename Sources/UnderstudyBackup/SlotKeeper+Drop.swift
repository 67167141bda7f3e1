import Logging
import UnderstudyConnection
import UnderstudyFileIO
import UnderstudyProtocol
import UnderstudyReceiver
import UnderstudySource

extension SlotKeeper {
    /// How long a server that does not answer is waited for: it may be starting again.
    private static let longestWait = Duration.seconds(60)

    /// Drops a slot that this run has made; tries again until the server answers, or time has run out.
    ///
    /// - Parameters:
    ///   - patience: How long a server may be silent; nil for as long as it takes.
    ///   - note: Where the slot is noted for the next run; nil for nowhere.
    /// - Returns: Whether there is no such slot any more. If there is, the user was told how it is dropped.
    func dropMade(
        _ parameters: ConnectionParameters, patience: Duration?, note: String?, logger: Logger
    ) -> Bool {
        guard let made else { return true }
        var parameters = parameters
        if (parameters["connect_timeout"].flatMap { Int($0) } ?? 0) <= 0 { parameters["connect_timeout"] = "10" }
        let clock = ContinuousClock(), deadline = clock.now + min(Self.longestWait, patience ?? Self.longestWait)
        var backoff = Backoff(), random = SystemRandomNumberGenerator(), hasSaid = false
        // The interrupt that ended the run does not end this.
        let interrupt = Interrupt()
        while true {
            do throws(ConnectionError) {
                let session = try Session.connect(
                    parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                    patience: .seconds(20))
                try Self.drop(made, session)
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
                                "It holds WAL on the primary until it is dropped there: SELECT pg_drop_replication_slot('\(made)');\(place)"
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
