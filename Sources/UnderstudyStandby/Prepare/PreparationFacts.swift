import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// What a primary is before it is prepared.
struct PreparationFacts {
    var version: ServerVersion
    var server: PreparationSQL.Server
    var settings: [String: PreparationSQL.Setting] = [:]
    /// What its files set; empty if the role may not know it.
    var configured: [String: PreparationSQL.Configured] = [:]
    var segmentSize = WALSegmentSize.default
    /// nil if there is none of that name.
    var role: PreparationSQL.Role?
    /// What the server keeps of the role's password; nil if there is none, or if it is not known.
    var verifier: String?
    var memberships: [String] = []
    var files: PrimaryFiles

    var hasTLS: Bool { settings["ssl"]?.value == "on" }
    var passwordIsKnown: Bool { role == nil || server.mayReadVerifiers }

    /// - Parameter role: The one for replication.
    init(_ session: Session, role name: String) throws(UnderstudyError) {
        version = session.serverVersion
        let sql = PreparationSQL(version)
        guard version >= .oldestSupported else {
            throw UnderstudyError(
                .server, "server version \(version) is too old",
                hint: "Servers from \(ServerVersion.oldestSupported.major) on are served.")
        }
        do throws(ConnectionError) { _ = try session.run(PreparationSQL.session) } catch {
            throw UnderstudyError(error)
        }
        server = try session.ask(sql.server)
        guard !server.isInRecovery else {
            throw UnderstudyError(
                .options, "the server at \"\(session.host)\", port \(session.port) is a standby",
                detail: "A standby takes its roles and most of its settings from its primary.",
                hint: "Name its primary: on the standby, SHOW primary_conninfo; tells it (recovery.conf before 12).")
        }
        files = try PrimaryFiles(session, sql)
        let names = PrimarySettings.names(version.number)
        for setting in try session.ask(sql.settings(names + Self.furtherNames)) { settings[setting.name] = setting }
        if server.isSuperuser { configured = try files.configured(names, sql) }
        if let size = WALSegmentSize(showText: try session.ask(sql.shown("wal_segment_size"))) { segmentSize = size }
        role = try session.ask(sql.role(name))
        if role != nil {
            if server.mayReadVerifiers { verifier = try session.ask(sql.verifier(name)) }
            memberships = try session.ask(sql.memberships(name))
        }
    }

    private static let furtherNames = ["ssl", "allow_alter_system"]

    /// Whether settings go into postgresql.conf: ALTER SYSTEM is not there before 9.4, and can be forbidden from 17 on.
    func editsFiles(_ options: PrimaryPreparation.Options) -> Bool {
        options.editsFiles || !version.readsAutoConf || settings["allow_alter_system"]?.value == "off"
    }

    /// The settings as they are now, and will be after a restart.
    func wanted(_ options: PrimaryPreparation.Options) throws(UnderstudyError) -> PrimarySettings {
        var found: [String: PrimarySettings.Found] = [:]
        for (name, setting) in settings {
            let isFixed = ["command line", "environment variable"].contains(setting.source)
            found[name] = .init(
                running: setting.value, configured: configured[name]?.value, isFixed: isFixed)
        }
        do throws(Finding) {
            return try PrimarySettings(
                version: version.number, found: found,
                wish: .init(
                    maxWALSenders: options.maxWALSenders, maxReplicationSlots: options.maxReplicationSlots,
                    walKeep: options.walKeep, listenAddresses: options.listenAddresses),
                sendersInUse: server.sendersInUse, slotsInUse: server.slotsInUse, segmentSize: segmentSize)
        } catch { throw UnderstudyError(error, .configuration) }
    }
}
