import UnderstudyCore
import UnderstudyProtocol
import UnderstudyWAL

/// What one server told a check: what the rules go by. nil stands for what it did not tell.
struct ServerReading: Sendable {
    var role: ReplicationCheck.Role
    /// `"10.0.0.1", port 5432`.
    var place: String
    var version: ServerVersion
    /// That of the connection.
    var port: String?
    var system: String?
    var timeline: TimelineID?
    /// The end of its WAL, as the replication connection told it.
    var flushed: LSN?
    /// Without SQL; else ``situation`` tells.
    var isInHotStandby: Bool?
    /// nil if no SQL was allowed.
    var situation: CheckSQL.Situation?
    var settings = ServerSettings()
    /// Why no SQL was allowed.
    var refusal: UnderstudyError?
    /// Why no replication connection was allowed.
    var replicationRefusal: UnderstudyError?

    var hostRules: CheckSQL.HostRules?
    var senders: [CheckSQL.Sender]?
    var slots: [CheckSQL.Slot]?
    var archiver: CheckSQL.ArchiverState?
    var sizes: CheckSQL.Sizes?
    var tablespaces: [String]?
    /// Bytes a second at which rows came over the connection.
    var rate: Double?

    /// Of a standby; nil if it is not known, as before 9.6.
    var hasReceiver: Bool?
    var receiver: CheckSQL.Receiver?
    var replay: CheckSQL.Replay?

    init(_ role: ReplicationCheck.Role, place: String, version: ServerVersion) {
        self.role = role
        self.place = place
        self.version = version
    }

    var isInRecovery: Bool? { situation?.isInRecovery ?? isInHotStandby }
    var position: LSN? { situation?.position ?? flushed }
    /// The end of what a standby has.
    var farthest: LSN? { [receiver?.written, replay?.received, replay?.replayed].compactMap { $0 }.max() }

    var server: ReplicationCheck.Server {
        ReplicationCheck.Server(
            place: place, version: version.number, systemIdentifier: system, timeline: timeline,
            isInRecovery: isInRecovery)
    }

    /// What lets the role see the statistics of others.
    var grant: Remedy {
        guard version.hasMonitorRoles else { return "Ask as a superuser." }
        return "As a superuser: GRANT pg_monitor TO \(LoginHint.identifier(situation?.role));"
    }

    func finding(
        _ name: String, object: String? = nil, _ level: ReplicationCheck.Level = .ok, found: String,
        wanted: String? = nil, message: String? = nil, cure: Remedy? = nil, bytes: UInt64? = nil,
        seconds: Double? = nil
    ) -> ReplicationCheck.Finding {
        ReplicationCheck.Finding(
            role, name, object: object, level, found: found, wanted: wanted, message: message, cure: cure,
            bytes: bytes, seconds: seconds)
    }

    func unknown(
        _ name: String, object: String? = nil, _ message: String, wanted: String? = nil, cure: Remedy?
    ) -> ReplicationCheck.Finding {
        finding(name, object: object, .unknown, found: "unknown", wanted: wanted, message: message, cure: cure)
    }
}
