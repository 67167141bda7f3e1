import Glibc
import Logging
import UnderstudyBackup
import UnderstudyConnection
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// Checks whether a started standby streams and answers queries.
///
/// Uses, in this order, what is allowed: psql as the server's own user, without a password; a connection with the
/// primary's login, only over the standby's own socket, and never so that the standby sees the password, which it may
/// have to pass on (LDAP, RADIUS, PAM, as the copied pg_hba.conf requires); postmaster.pid with the title of the WAL
/// receiver process; and the log of the start.
struct StandbyWatch: Sendable {
    let server: StandbyServer
    let version: ServerVersion
    /// The login that works on the primary, with all security settings of its connection.
    let login: [ConnectionParameters.Setting]
    let interrupt: Interrupt

    struct Observation: Sendable, Equatable {
        var isStreaming = false
        var answersQueries = false
        /// nil if no query was allowed.
        var isInRecovery: Bool?
        var isReplayPaused = false
        /// The end of the WAL that the standby has received.
        var received: LSN?
    }

    /// Checks once.
    ///
    /// - Parameter postmaster: The file of the server that was started.
    func observe(_ postmaster: PostmasterFile) async -> Observation {
        var seen = Observation()
        var row: [String?]?
        if let place = StandbyAddress(postmaster, user: server.owner?.user ?? geteuid()) {
            row = await askByPsql(place, postmaster.port)
            // A role without pg_read_all_stats cannot see the receiver's status; the server's own user mostly can.
            if row?[2] == nil, let other = try? await askDirectly(place, postmaster.port), other.count == 4,
                row == nil || other[2] != nil
            {
                row = other
            }
        }
        if let row, row.count == 4 {
            seen.answersQueries = row[0] == "t"
            seen.isInRecovery = row[0].map { $0 == "t" }
            seen.isReplayPaused = row[3] == "t"
            seen.received = row[1].flatMap { LSN($0) }
            seen.isStreaming = row[2] == "streaming"
        } else if postmaster.status == "ready" {
            // No query was allowed, but the server reports that it accepts clients.
            seen.answersQueries = true
        }
        if row == nil { seen.isReplayPaused = server.logTellsOfPause }
        if let title = Self.receiverTitle(childOf: postmaster.processID) {
            seen.isStreaming = true
            seen.received = max(seen.received ?? .invalid, title)
        }
        // The title changes with the first WAL that arrives; an idle primary may send none for a while.
        if server.logTellsOfStreaming && Self.receiver(childOf: postmaster.processID) != nil { seen.isStreaming = true }
        return seen
    }

    private var question: String {
        let position = version.usesXlogName ? "pg_last_xlog_receive_location()" : "pg_last_wal_receive_lsn()"
        let status = version.hasReceiverView ? "(SELECT status FROM pg_catalog.pg_stat_wal_receiver LIMIT 1)" : "NULL"
        let pause = version.usesXlogName ? "pg_is_xlog_replay_paused()" : "pg_is_wal_replay_paused()"
        return """
            SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.\(position), \(status), \
            CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.\(pause) END
            """
    }

    private func askDirectly(_ place: StandbyAddress, _ port: Int) async throws -> [String?]? {
        guard let target = place.parameters(login, port: port, environment: environmentVariable) else {
            return nil
        }
        let question = question, interrupt = interrupt
        let database = login.first { $0.keyword == "dbname" }?.value ?? "postgres"
        return try await OwnThread.run("standby watch", interrupt: interrupt, failure: ConnectionError.init(thread:)) {
            () throws(ConnectionError) in
            let session = try Session.connect(
                target, kind: .ordinary(database: database), applicationName: "understudy", interrupt: interrupt,
                silenceLimit: .seconds(5), showsPassword: false)
            return try session.runForRows(question).rows.first
        }
    }

    private func askByPsql(_ place: StandbyAddress, _ port: Int) async -> [String?]? {
        guard let output = await server.query(question, at: place, port: port, database: "postgres") else { return nil }
        let fields = output.lines.first.map {
            $0.split(separator: "|", omittingEmptySubsequences: false).map { Optional(String($0)) }
        }
        guard let fields, fields.count == 4 else { return nil }
        return fields.map { $0 == "" ? nil : $0 }
    }

    /// The position in the title of the WAL receiver, `walreceiver streaming 0/3000148`; nil if it does not stream.
    static func receiverTitle(childOf postmaster: Int32) -> LSN? {
        receiver(childOf: postmaster).flatMap { position(inTitle: $0) }
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
