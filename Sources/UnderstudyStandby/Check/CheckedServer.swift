import Logging
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// A server that a check has reached: its ordinary connection, if there is one, and what it told. For the thread that checks.
struct CheckedServer {
    var reading: ServerReading
    /// nil if no SQL was allowed.
    let sql: Session?

    /// What a check measures once, however often it is repeated: it takes the server's time.
    struct Measures: Sendable {
        var sizes: CheckSQL.Sizes?
        var rate: Double?
    }

    private static let names = [
        "wal_level", "max_wal_senders", "max_replication_slots", "archive_mode", "archive_command", "archive_library",
        "wal_keep_segments", "wal_keep_size", "data_checksums", "full_page_writes", "synchronous_standby_names",
        "synchronous_commit", "max_slot_wal_keep_size", "hot_standby", "recovery_min_apply_delay", "port",
    ]

    private static func names(_ version: ServerVersion) -> [String] {
        names + StandbyLimits.defaults(version.number).map(\.name)
    }

    /// Asks whatever the role may know. Closes the replication connection again: it takes one of the server's senders.
    ///
    /// - Parameter measures: Of an earlier check of the same server.
    init(
        _ connections: CheckConnections, measures: Measures? = nil, logger: Logger
    ) throws(UnderstudyError) {
        sql = connections.sql
        reading = ServerReading(connections.role, place: connections.place, version: connections.version)
        reading.port = connections.port
        reading.refusal = connections.refusal
        reading.replicationRefusal = connections.replicationRefusal
        try reading.version.requireSupported()
        if let session = connections.replication {
            let identity = try session.ask(.identifySystem)
            (reading.system, reading.timeline) = (identity.systemIdentifier, identity.timeline)
            reading.flushed = identity.position
            if sql == nil { readSettings(showing: session) }
        }
        guard sql != nil else { return }
        reading.situation = connections.situation
        reading.settings = ServerSettings(
            (try ask(CheckSQL.settings(Self.names(reading.version)), logger)) ?? [:])
        if reading.system == nil, reading.version.hasControlFunctions, let control = try ask(CheckSQL.control, logger) {
            (reading.system, reading.timeline) = (control.system, control.timeline)
        }
        if reading.isInRecovery == true {
            try readStandby(logger)
        } else if reading.role == .primary {
            try readPrimary(except: connections.replication?.backendProcessID, measures, logger)
        }
    }

    private mutating func readSettings(showing session: Session) {
        let version = reading.version
        let known = Self.names.filter { name in
            switch name {
            case "archive_library": version.number >= 150_000
            case "wal_keep_segments": !version.reportsSlotWALStatus
            case "wal_keep_size", "max_slot_wal_keep_size": version.reportsSlotWALStatus
            // A setting of recovery.conf before.
            case "recovery_min_apply_delay": version.number >= 120_000
            default: true
            }
        }
        reading.settings = ServerSettings(showing: known + StandbyLimits.defaults(version.number).map(\.name), session)
        if version.hasInHotStandbySetting {
            reading.isInHotStandby = (try? session.show("in_hot_standby")).map { $0 == "on" }
        }
    }

    private mutating func readPrimary(
        except own: Int?, _ measures: Measures?, _ logger: Logger
    ) throws(UnderstudyError) {
        let version = reading.version
        if reading.situation?.seesHostRules == true { reading.hostRules = try ask(CheckSQL.hostRules, logger) }
        reading.senders = try ask(CheckSQL.senders(version, except: own), logger)
        if version.hasSlots { reading.slots = try ask(CheckSQL.slots(version), logger) }
        if version.hasArchiverView { reading.archiver = try ask(CheckSQL.archiver, logger) }
        reading.tablespaces = try ask(CheckSQL.tablespaces, logger)
        reading.sizes = measures?.sizes
        if reading.sizes == nil { reading.sizes = try ask(CheckSQL.sizes(version), logger) }
        reading.rate = measures?.rate
        if reading.rate == nil { reading.rate = try rate(logger) }
    }

    private mutating func readStandby(_ logger: Logger) throws(UnderstudyError) {
        let version = reading.version
        if version.hasReceiverView {
            let answer = try ask(CheckSQL.receiver(version), logger)
            reading.hasReceiver = answer.map { $0 != nil }
            reading.receiver = answer ?? nil
            // IDENTIFY_SYSTEM and pg_control may know an older one.
            if let timeline = reading.receiver?.timeline { reading.timeline = timeline }
        }
        reading.replay = try ask(CheckSQL.replay(version), logger)
    }

    /// The answer, or nil if the server refused it. Throws if the server is gone.
    func ask<Value>(_ query: ReplicationQuery<Value>, _ logger: Logger) throws(UnderstudyError) -> Value? {
        guard let sql else { return nil }
        do throws(UnderstudyError) { return try sql.ask(query) } catch {
            // Of an answer that is none, the rest may still be on its way.
            if [.connection, .cancelled, .protocolViolation].contains(error.code) { throw error }
            logger.info("\(reading.role.rawValue) did not answer a question of the check: \(error.message)")
            return nil
        }
    }

    var measures: Measures { Measures(sizes: reading.sizes, rate: reading.rate) }

    /// Bytes a second at which data comes over the connection; nil if none did. Some hundred kB first, and a few MB only if these
    /// came at once.
    private func rate(_ logger: Logger) throws(UnderstudyError) -> Double? {
        let clock = ContinuousClock()
        var rate: Double?
        for rows in [4, 64] {
            let begin = clock.now
            guard let bytes = try ask(CheckSQL.sample(rows: rows), logger) else { return rate }
            let seconds = Quantity.precise(clock.now - begin)
            rate = Double(bytes) / max(seconds, 0.000_1)
            if seconds > 0.2 { break }
        }
        return rate
    }
}

extension Quantity {
    /// Seconds, with all digits.
    static func precise(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
