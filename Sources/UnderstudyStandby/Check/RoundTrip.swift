import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol
import UnderstudyWAL

/// Sends a marker through a primary's WAL, and waits until it is replayed. The marker leaves nothing behind. For the thread that
/// checks.
struct RoundTrip {
    let primary: CheckedServer
    /// nil to go by what the primary knows of its standbys.
    let standby: CheckedServer?
    let limit: Duration

    private static let name = "roundtrip"

    private struct Sent {
        var marker: CheckSQL.Marker
        var position: LSN
        var at: ContinuousClock.Instant
    }

    func findings() throws(UnderstudyError) -> [ReplicationCheck.Finding] {
        let reading = primary.reading
        guard reading.isInRecovery != true else { return [] }
        guard let session = primary.sql else {
            return [
                reading.finding(
                    Self.name, .error, found: "not sent", wanted: "replayed",
                    message: "a marker is sent by SQL, and no ordinary connection to the primary was allowed",
                    cure: reading.refusal?.remedy)
            ]
        }
        if let standby {
            guard standby.reading.isInRecovery == true, let other = standby.sql else { return [] }
            // What it had before cannot be the marker.
            let before = try other.ask(CheckSQL.replay(standby.reading.version)).replayed
            let sent = try send(over: session)
            if let before, before >= sent.position { return [ahead(before, sent, standby.reading)] }
            return [try wait(for: sent, on: other, standby.reading)]
        }
        let streams = try session.ask(CheckSQL.senders(reading.version)).filter { $0.state == nil || $0.isStream }
        guard !streams.isEmpty else {
            return [
                reading.finding(
                    Self.name, .error, found: "no standby", wanted: "replayed",
                    message: "no standby receives the primary's WAL",
                    cure: "Start one: its log says why it does not stream.")
            ]
        }
        guard streams.allSatisfy({ $0.state != nil }) else {
            return [
                reading.finding(
                    Self.name, .error, found: "not sent", wanted: "replayed",
                    message: "the role may not see what standbys have replayed", cure: reading.grant)
            ]
        }
        return try wait(for: try send(over: session), by: session)
    }

    // MARK: - The marker

    private func send(over session: Session) throws(UnderstudyError) -> Sent {
        let version = primary.reading.version
        let waits = !SynchronousStandbyNames(primary.reading.settings["synchronous_standby_names"] ?? "*").isEmpty
        do throws(ConnectionError) { _ = try session.run(CheckSQL.commitMode(version, waits: waits)) } catch {
            throw UnderstudyError(error)
        }
        let markers = try session.ask(CheckSQL.markers(version))
        let marker = markers.first ?? .transaction
        let begin = ContinuousClock().now
        var position = try session.ask(CheckSQL.write(marker))
        if position == nil { position = try session.ask(CheckSQL.end(version)) }
        guard let position else {
            throw UnderstudyError(.protocolViolation, "the primary did not tell where the marker is in its WAL")
        }
        return Sent(marker: marker, position: position, at: begin)
    }

    // MARK: - The wait

    private func wait(
        for sent: Sent, on session: Session, _ reading: ServerReading
    ) throws(UnderstudyError) -> ReplicationCheck.Finding {
        var replayed: LSN?
        let time = try poll(sent, session) { () throws(UnderstudyError) in
            replayed = try session.ask(CheckSQL.replay(reading.version)).replayed
            return replayed.map { $0 >= sent.position } ?? false
        }
        return finding(time, sent, replayed, reading, standby: nil)
    }

    private func ahead(_ position: LSN, _ sent: Sent, _ reading: ServerReading) -> ReplicationCheck.Finding {
        reading.finding(
            Self.name, .error, found: "not replayed", wanted: "replayed",
            message:
                "the standby had replayed WAL up to \(position) before the marker at \(sent.position) was sent: it follows another server, or did",
            cure: "Name the primary that it follows.")
    }

    /// Each standby by itself, as it tells the primary.
    private func wait(for sent: Sent, by session: Session) throws(UnderstudyError) -> [ReplicationCheck.Finding] {
        let reading = primary.reading
        var times: [Int: Double] = [:], last: [CheckSQL.Sender] = []
        _ = try poll(sent, session) { () throws(UnderstudyError) in
            // A client that replays nothing, such as a WAL archiver, never tells that it did.
            last = try session.ask(CheckSQL.senders(reading.version)).filter { $0.isStream && $0.replayedTo != nil }
            for sender in last where times[sender.processID] == nil && (sender.replayedTo ?? .invalid) >= sent.position
            {
                times[sender.processID] = Quantity.precise(ContinuousClock().now - sent.at)
            }
            return !last.isEmpty && last.allSatisfy { times[$0.processID] != nil }
        }
        guard !last.isEmpty else {
            return [
                reading.finding(
                    Self.name, .error, found: "no standby", wanted: "replayed",
                    message: "nobody who receives the primary's WAL replays it", cure: "Start a standby.")
            ]
        }
        return last.map { finding(times[$0.processID], sent, $0.replayedTo, reading, standby: $0) }
    }

    /// Seconds from the marker until the condition holds; nil if it does not in time.
    private func poll(
        _ sent: Sent, _ session: Session, _ holds: () throws(UnderstudyError) -> Bool
    ) throws(UnderstudyError) -> Double? {
        var pause = Duration.milliseconds(1)
        while true {
            if try holds() { return Quantity.precise(ContinuousClock().now - sent.at) }
            guard ContinuousClock().now - sent.at < limit else { return nil }
            session.pause(pause)
            if session.isInterrupted { throw UnderstudyError(.cancelled, "the check was cancelled") }
            pause = min(pause * 3 / 2, .milliseconds(100))
        }
    }

    private func finding(
        _ time: Double?, _ sent: Sent, _ replayed: LSN?, _ reading: ServerReading, standby: CheckSQL.Sender?
    ) -> ReplicationCheck.Finding {
        let marker =
            switch sent.marker {
            case .message: "a logical message"
            case .restorePoint: "a restore point"
            case .transaction: "an empty transaction"
            }
        let heard = standby == nil ? "" : ", as the primary heard"
        guard let time else {
            return reading.finding(
                Self.name, object: standby?.label, .error, found: "not replayed within \(limit)",
                wanted: "replayed",
                message:
                    "\(marker) at \(sent.position) was not replayed within \(limit): the standby is at \(replayed?.description ?? "no position")",
                cure:
                    "Look at the WAL receiver and the lag of the standby, whether its replay is paused or delayed (recovery_min_apply_delay), and at its log."
            )
        }
        return reading.finding(
            Self.name, object: standby?.label, found: "\(marker), replayed after \(ServerReading.time(time))\(heard)",
            wanted: "replayed", seconds: time)
    }
}
