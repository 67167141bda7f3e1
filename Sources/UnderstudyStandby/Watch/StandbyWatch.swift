import Glibc
import Logging
import UnderstudyBackup
import UnderstudyConnection
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// Checks whether a started standby streams and answers queries.
///
/// What needs no login comes first: postmaster.pid, pg_ctl, and the WAL receiver process with its title. Only a server
/// that lets clients in is asked itself, by psql as its own user, without a password. If that is refused, a replication
/// connection with the primary's login is tried, only over the standby's own socket, and never so that the standby sees
/// the password, which it may have to pass on (LDAP, RADIUS, PAM, as the copied pg_hba.conf requires). Each way that was
/// refused is not tried again: a refusal is a FATAL in the server's log. What still is not known is asked of the primary.
struct StandbyWatch: Sendable {
    let server: StandbyServer
    let version: ServerVersion
    /// The login that works on the primary, with all security settings of its connection.
    let login: [ConnectionParameters.Setting]
    let primary: PrimaryWitness
    let interrupt: Interrupt
    /// Whether pg_ctl has found that the server lets clients in: from 10 on, postmaster.pid says so.
    let isUp: Bool

    private enum Way { case psql, replication, none }
    private var way = Way.psql
    /// How often it has been looked at since it lets clients in.
    private var checks = 0
    private var askedReceiver: String?

    init(
        server: StandbyServer, version: ServerVersion, login: [ConnectionParameters.Setting], primary: PrimaryWitness,
        interrupt: Interrupt, isUp: Bool
    ) {
        self.server = server
        self.version = version
        self.login = login
        self.primary = primary
        self.interrupt = interrupt
        self.isUp = isUp
    }

    struct Observation: Sendable, Equatable {
        var isStreaming = false
        var answersQueries = false
        /// nil if no query was allowed.
        var isInRecovery: Bool?
        var isReplayPaused = false
        /// The end of the WAL that the standby has received; nil if unknown.
        var received: LSN?

        mutating func noteReceived(_ position: LSN?) {
            received = [received, position].compactMap { $0 }.max()
        }
    }

    /// Checks once.
    ///
    /// - Parameter postmaster: The file of the server that was started.
    mutating func observe(_ postmaster: PostmasterFile) async -> Observation {
        var seen = Observation()
        let log = server.log, receiver = Self.receiver(childOf: postmaster.processID)
        seen.isReplayPaused = log.tellsOfPause
        seen.received = receiver.flatMap { Self.position(inTitle: $0) }
        // The title changes with the first WAL that arrives; an idle primary may send none for a while.
        seen.isStreaming = seen.received != nil || (receiver != nil && log.tellsOfStreaming)
        // A server that lets nobody in yet would log a FATAL for each question.
        guard postmaster.status.map({ $0 == "ready" }) ?? isUp else { return seen }
        seen.answersQueries = true
        let isTime = isTimeToAsk(receiver)
        guard seen.isStreaming || isTime else { return seen }
        await ask(postmaster, &seen)
        if !seen.isStreaming, receiver != nil, await primary.seesStream() { seen.isStreaming = true }
        return seen
    }

    /// Whether the answers may be others than last time: at the first check, with another receiver, and once a second.
    private mutating func isTimeToAsk(_ receiver: String?) -> Bool {
        defer { checks += 1 }
        guard checks % 5 == 0 || receiver != askedReceiver else { return false }
        askedReceiver = receiver
        return true
    }

    private mutating func ask(_ postmaster: PostmasterFile, _ seen: inout Observation) async {
        guard let place = StandbyAddress(postmaster, user: server.owner?.user ?? geteuid()) else { return }
        if way == .psql {
            if let row = await askByPsql(place, postmaster.port) {
                seen.answersQueries = row[0] == "t"
                seen.isInRecovery = row[0].map { $0 == "t" }
                seen.isReplayPaused = row[3] == "t"
                seen.noteReceived(row[1].flatMap { LSN($0) })
                if row[2] == "streaming" { seen.isStreaming = true }
                return
            }
            way = .replication
        }
        if way == .replication {
            if let position = await askByReplication(place, postmaster.port) {
                seen.noteReceived(position)
            } else {
                way = .none
            }
        }
    }

    private var question: String {
        let names = version.walNames
        let status = version.hasReceiverView ? "(SELECT status FROM pg_catalog.pg_stat_wal_receiver LIMIT 1)" : "NULL"
        return """
            SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.\(names.received)(), \(status), \
            CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.\(names.isReplayPaused)() END
            """
    }

    /// The position that the standby has received or replayed: IDENTIFY_SYSTEM.
    private func askByReplication(_ place: StandbyAddress, _ port: Int) async -> LSN? {
        guard let target = place.parameters(login, port: port, environment: environmentVariable) else { return nil }
        let interrupt = interrupt
        let identity = try? await OwnThread.run(
            "standby watch", interrupt: interrupt, failure: ConnectionError.init(thread:)
        ) { () throws(ConnectionError) in
            let session = try Session.connect(
                target, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                silenceLimit: .seconds(5), showsPassword: false)
            return try session.answer(to: .identifySystem)
        }
        return identity?.position
    }

    private func askByPsql(_ place: StandbyAddress, _ port: Int) async -> [String?]? {
        guard let output = await server.query(question, at: place, port: port, database: "postgres") else { return nil }
        let fields = output.lines.first.map {
            $0.split(separator: "|", omittingEmptySubsequences: false).map { Optional(String($0)) }
        }
        guard let fields, fields.count == 4 else { return nil }
        return fields.map { $0 == "" ? nil : $0 }
    }

    /// The title of the WAL receiver process; nil if there is none.
    private static func receiver(childOf postmaster: Int32) -> String? {
        guard let processes = try? ConfinedDirectory(path: "/proc").entries() else { return nil }
        for process in processes where process.kind == .directory && Int32(process.name.description) != nil {
            guard let directory = try? ConfinedDirectory(path: "/proc/\(process.name)"),
                let stat = try? directory.read("stat", atMost: 1024), parent(inStat: stat) == postmaster,
                let line = try? directory.read("cmdline", atMost: 256)
            else { continue }
            let title = String(decoding: line.prefix { $0 != 0 }, as: UTF8.self)
            if isReceiver(title) { return title }
        }
        return nil
    }

    private static func isReceiver(_ title: String) -> Bool {
        title.split(separator: " ").contains("walreceiver") || title.contains("wal receiver process")
    }

    /// The parent's process ID: the fourth field of /proc/PID/stat. The second is in parentheses and may contain
    /// anything.
    private static func parent(inStat bytes: [UInt8]) -> Int32? {
        guard let end = bytes.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        return fields.count > 1 ? Int32(String(decoding: fields[1], as: UTF8.self)) : nil
    }

    /// The position in `postgres: walreceiver streaming 0/3000148`, after any prefix; from 9.3 to 9.6 the title is
    /// `postgres: wal receiver process   streaming 0/3000148`.
    static func position(inTitle title: String) -> LSN? {
        let words = title.split(separator: " ")
        guard isReceiver(title), let index = words.firstIndex(of: "streaming"), index + 1 < words.count
        else { return nil }
        return LSN(String(words[index + 1]))
    }
}
