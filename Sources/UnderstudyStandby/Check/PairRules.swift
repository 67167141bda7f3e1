import UnderstudyCore
import UnderstudyProtocol

/// Whether a primary and a standby belong together: pure.
struct PairRules {
    let primary: ServerReading
    let standby: ServerReading

    /// Whether both are one server: the rest is of no use then.
    var isOneServer: Bool {
        guard let one = primary.situation, let other = standby.situation, !one.startedAt.isEmpty else { return false }
        return primary.system == standby.system && one.startedAt == other.startedAt
            && one.isInRecovery == other.isInRecovery && primary.version == standby.version
    }

    var sameServer: ReplicationCheck.Finding {
        standby.finding(
            "servers", .error, found: "one server", wanted: "two servers",
            message: "\(primary.place) and \(standby.place) are the same server",
            cure: "Name the standby's own host and port.")
    }

    /// Whether the positions of both mean the same, as far as that is known.
    var isOneCluster: Bool {
        primary.system == standby.system && primary.isInRecovery != true && !isAhead
    }

    /// Whether the standby has WAL that the primary does not have. Its positions were read first, and a primary sends nothing
    /// that it has not written.
    private var isAhead: Bool {
        guard standby.isInRecovery == true, let end = primary.position, let farthest = standby.farthest else {
            return false
        }
        return farthest > end
    }

    /// Whether the standby was given as primary, and the primary as standby.
    var isSwapped: Bool { primary.isInRecovery == true && standby.isInRecovery == false }

    var findings: [ReplicationCheck.Finding] {
        var findings: [ReplicationCheck.Finding] = []
        if isSwapped {
            findings.append(
                standby.finding(
                    "servers", .error, found: "the other way round", wanted: "primary and standby",
                    message: "\(primary.place) is the standby, and \(standby.place) the primary",
                    cure: "Give them the other way round."))
        }
        findings.append(systemFinding)
        if !isSwapped, let timeline = timelineFinding { findings.append(timeline) }
        if let source = sourceFinding { findings.append(source) }
        if primary.version.major != standby.version.major {
            findings.append(
                standby.finding(
                    "server_version", .error, found: "\(standby.version)", wanted: primary.version.major,
                    message: "a standby has the major version of its primary",
                    cure: "Clone the primary with programs of version \(primary.version.major)."))
        }
        return findings
    }

    private var systemFinding: ReplicationCheck.Finding {
        guard let one = primary.system, let other = standby.system else {
            let unknown = primary.system == nil ? primary : standby
            return standby.unknown(
                "system_identifier", "the \(unknown.role.rawValue) did not tell whose cluster it is",
                cure: unknown.replicationRefusal?.remedy
                    ?? "Use a role that may replicate, and let it in for replication (pg_hba.conf).")
        }
        guard one == other else {
            return standby.finding(
                "system_identifier", .error, found: other, wanted: one,
                message: "the servers belong to different clusters",
                cure: "Name the primary of this standby, or clone this primary.")
        }
        return standby.finding("system_identifier", found: other, wanted: "that of the primary")
    }

    /// Whether the WAL that the standby has is this primary's: servers of one cluster may have gone their own ways.
    private var sourceFinding: ReplicationCheck.Finding? {
        guard primary.system == standby.system, primary.isInRecovery == false, standby.isInRecovery == true else {
            return nil
        }
        if isAhead, let end = primary.position, let farthest = standby.farthest {
            return standby.finding(
                "source", .error, found: "WAL up to \(farthest)", wanted: "at most \(end), the end of the primary's",
                message: "the standby has WAL that \(primary.place) does not have: it follows another server, or did",
                cure: Self.anotherSource)
        }
        guard let receiver = standby.receiver, receiver.status == "streaming" else { return nil }
        let place = receiver.host.map { "\"\($0)\", port \(receiver.port ?? "")" } ?? "another server"
        if let senders = primary.senders, !senders.contains(where: { $0.state == nil || $0.isStream }) {
            return standby.finding(
                "source", .error, found: place, wanted: primary.place,
                message: "the standby streams from \(place), and \(primary.place) sends its WAL to nobody",
                cure: Self.anotherSource)
        }
        let ports = [primary.port, primary.settings["port"]].compactMap { $0 }
        guard let port = receiver.port, !ports.isEmpty, !ports.contains(port) else { return nil }
        return standby.finding(
            "source", .warning, found: place, wanted: primary.place,
            message: "the standby streams from \(place), and the primary listens on port \(ports[0])",
            cure:
                "If that is another standby of this primary, or a way to it (a proxy), all is well. Else: \(Self.anotherSource)"
        )
    }

    private static let anotherSource: Remedy =
        "Name the primary that it follows. If it is to follow this one, clone this one into its directory with \(.updateExisting), which fetches only what differs."

    /// Of two servers of one cluster. A standby that is none says it in its own finding.
    private var timelineFinding: ReplicationCheck.Finding? {
        guard primary.system == standby.system, standby.isInRecovery != false else { return nil }
        guard let one = primary.timeline, let other = standby.timeline else {
            return standby.unknown("timeline", "one of the servers did not tell its timeline", cure: standby.grant)
        }
        guard one != other else { return standby.finding("timeline", found: "\(other)", wanted: "\(one)") }
        if other > one {
            return standby.finding(
                "timeline", .error, found: "\(other)", wanted: "\(one)",
                message: "the standby is on the newer timeline \(other), so \(primary.place) is an old primary",
                cure: "Name the new primary, and stop the old one.")
        }
        return standby.finding(
            "timeline", .error, found: "\(other)", wanted: "\(one)",
            message: "the standby has not followed its primary to timeline \(one)",
            cure:
                "Set recovery_target_timeline = latest on the standby, and restart it. If its log says that the timeline forked off before what it has, clone the primary into its directory with \(.updateExisting)."
        )
    }
}
