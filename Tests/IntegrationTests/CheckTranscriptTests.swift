import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

/// Checks of servers that cannot be installed here: what they sent, recorded, goes through the real libpq.
@Suite struct CheckTranscriptTests {
    private static func connection(_ server: ScriptedServer) -> ConnectionString {
        "host=127.0.0.1 port=\(server.port) user=r sslmode=disable gssencmode=disable"
    }

    /// A server that lets in replication as recorded, and no SQL.
    @Test(arguments: Recording.versions)
    func `a recorded server that allows replication alone tells whose it is, and the rest is unknown`(
        version: String
    ) async throws {
        let recording = try Recording(version)
        var refusal = ServerBytes()
        refusal.error("28000", "no pg_hba.conf entry for host \"127.0.0.1\", user \"r\"", severity: "FATAL")
        let refused = refusal.bytes
        let server = try ScriptedServer(
            login: { login in
                login.isReplication ? try recording.answer("01-startup") : .init(refused, endsConnection: true)
            },
            script: { _, command in
                switch command {
                case "IDENTIFY_SYSTEM": return try recording.answer("02-identify-system")
                case "SHOW wal_level": return try recording.answer("16-show-wal-level")
                case "SHOW in_hot_standby": return .rows(["off"])
                default:
                    var bytes = ServerBytes()
                    bytes.error("42704", "unrecognized configuration parameter")
                    bytes.ready()
                    return .init(bytes.bytes)
                }
            })
        let report = try await ReplicationCheck(primary: Self.connection(server)).run()
        #expect(report.primary?.version == recording.meta.server_version_num)
        #expect(report.primary?.systemIdentifier == recording.meta.system_identifier)
        #expect(report.level == .unknown, "\(report.findings)")
        #expect(report.findings.contains { $0.name == "sql" && $0.level == .unknown })
        let level = report.findings.first { $0.name == "wal_level" }
        #expect((level != nil) == (recording.major >= 10) && level?.level ?? .ok == .ok)
        // Before 10 a WAL sender knows no SHOW.
        #expect(server.commands.contains { $0.hasPrefix("SHOW") } == (recording.major >= 10))
    }

    /// Old servers by the login that was recorded, and SQL that is played: no name of a newer version may be asked for.
    @Test(arguments: ["9.3", "9.4", "9.5", "9.6", "13", "19"])
    func `an old primary and its standby are asked by the names of their version`(version: String) async throws {
        let recording = try Recording(version)
        let number = recording.meta.server_version_num
        let isMarked = Locked(false)
        func server(inRecovery: Bool) throws -> ScriptedServer {
            try ScriptedServer(
                login: { _ in try recording.answer("01-startup") },
                script: { _, command in
                    if command == "IDENTIFY_SYSTEM" { return try recording.answer("02-identify-system") }
                    let isMarker = command.contains("_emit_message") || command.contains("create_restore_point")
                    if isMarker, !command.contains("has_function_privilege") {
                        isMarked.withLock { $0 = true }
                        return .rows(["0/3000100"])
                    }
                    if command.contains("_replay_timestamp") {
                        let position = isMarked.withLock { $0 } ? "0/3000100" : "0/3000000"
                        return .rows([position, position, "f", "0.5"])
                    }
                    return Self.answer(to: command, number, inRecovery: inRecovery)
                })
        }
        let (primary, standby) = (try server(inRecovery: false), try server(inRecovery: true))
        let check = ReplicationCheck(
            primary: Self.connection(primary), standby: Self.connection(standby), options: .init(roundTrip: true))
        let report = try await check.run()
        let bad = report.findings.filter { $0.level != .ok }
        // What the version does not tell.
        let unknown = number < 90600 ? ["wal_receiver"] : number < 100_000 ? [] : ["pg_hba"]
        #expect(bad.map(\.name) == unknown, "\(bad)")
        let marker = report.findings.first { $0.name == "roundtrip" }?.found ?? ""
        #expect(marker.hasPrefix(number < 90600 ? "a restore point, replayed" : "a logical message, replayed"))
        let said = (primary.commands + standby.commands).joined(separator: "\n")
        #expect(said.contains("_xlog_") == (number < 100_000) && said.contains("_wal_lsn") == (number >= 100_000))
        #expect(said.contains("pg_replication_slots") == (number >= 90400))
        #expect(said.contains("pg_stat_wal_receiver") == (number >= 90600))
    }

    /// Which question it is, told by what only that one has.
    private static func answer(to command: String, _ number: Int, inRecovery: Bool) -> ScriptedServer.Answer {
        func rows(_ count: Int, _ rows: [[String?]]) -> ScriptedServer.Answer {
            var bytes = ServerBytes()
            bytes.rows(count, rows)
            bytes.ready()
            return .init(bytes.bytes)
        }
        let yes = inRecovery ? "t" : "f"
        switch command {
        case let text where text.contains("rolname, rolsuper"):
            return .rows([yes, "0/3000000", inRecovery ? "2.5" : "1.5", "r", "t", "t", "f"])
        case let text where text.contains("FROM pg_catalog.pg_settings"):
            var settings = [
                "wal_level": number < 90600 ? "hot_standby" : "replica", "max_wal_senders": "10", "archive_mode": "off",
                "data_checksums": "on", "full_page_writes": "on", "synchronous_standby_names": "",
                number < 130_000 ? "wal_keep_segments" : "wal_keep_size": "64", "max_connections": "100",
                "max_prepared_transactions": "0", "max_locks_per_transaction": "64",
            ]
            if number >= 90400 {
                settings["max_replication_slots"] = "10"
                settings["max_worker_processes"] = "8"
            }
            return rows(3, settings.map { [$0.key, $0.value, nil] })
        case let text where text.contains("pg_stat_replication"):
            return rows(
                14,
                [
                    [
                        "7", "s", "127.0.0.1", "streaming", "async", "0", "0", "0", "0", "0/3000000", nil, nil, nil,
                        number >= 90400 ? "s" : nil,
                    ]
                ])
        case let text where text.contains("pg_replication_slots"): return rows(6, [])
        case let text where text.contains("pg_stat_archiver"): return .rows(["1", "0", nil, "f"])
        case let text where text.contains("pg_database_size"): return .rows(["1000", "0"])
        case let text where text.contains("pg_tablespace_location"): return rows(1, [])
        case let text where text.contains("repeat("): return .rows(["understudy"])
        case let text where text.contains("pg_stat_wal_receiver"):
            return .rows(["streaming", nil, "1", nil, nil, "s", "0.1"])
        case let text where text.contains("has_function_privilege"): return .rows(["t", "t"])
        case let text where text.contains("rolsuper FROM"): return .rows(["f", "t"])
        case let text where text.hasPrefix("SET "):
            var bytes = ServerBytes()
            bytes.complete("SET")
            bytes.ready()
            return .init(bytes.bytes)
        default:
            var bytes = ServerBytes()
            bytes.error("42601", "nothing is played for this: \(command)")
            bytes.ready()
            return .init(bytes.bytes)
        }
    }
}
