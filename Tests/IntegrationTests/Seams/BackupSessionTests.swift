import Testing
import UnderstudyConnection
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

@Suite("The ordinary connections of a backup")
struct BackupSessionTests {
    private static let timeouts =
        "name LIKE '%timeout' AND context = 'user' AND name NOT IN ('tcp_user_timeout', 'wal_sender_timeout')"

    @Test("have no time-out of the role's, and say at once that they have ended")
    func settings() throws {
        let cluster = try Cluster(.newest)
        try cluster.sql(
            """
            CREATE ROLE hasty LOGIN;
            ALTER ROLE hasty SET default_transaction_isolation = serializable;
            ALTER ROLE hasty SET client_min_messages = debug5;
            SELECT format('ALTER ROLE hasty SET %I = %L', name, '90s') FROM pg_settings WHERE \(Self.timeouts) \\gexec
            """)
        let session = try Session.connect(
            ConnectionParameters(reading: ConnectionString(cluster.connectionString(user: "hasty"))),
            kind: .ordinary(database: "postgres"), applicationName: "test", interrupt: Interrupt())
        func count() throws -> Int {
            let rows = try session.runForRows(
                "SELECT count(*) FROM pg_settings WHERE \(Self.timeouts) AND setting <> '0'")
            return try #require(rows.rows.first?.first?.flatMap { Int($0) })
        }
        #expect(try count() > 3)
        let sql = BackupSQL(session.serverVersion)
        _ = try session.run(sql.settings)
        #expect(try count() == 0)
        #expect(try session.show("client_min_messages") == "notice")
        #expect(try session.show("transaction_isolation") == "read committed")

        let wakeUp = Interrupt()
        wakeUp.raise()
        #expect(!session.hasNews(within: .seconds(600), or: wakeUp))
        try cluster.sql("SELECT pg_terminate_backend(\(session.backendProcessID))")
        #expect(session.hasNews(within: .seconds(600), or: Interrupt()))
        #expect(throws: UnderstudyError.self) { try session.ask(sql.identity) }
    }

    @Test("are to the server itself, and to the same one all the time")
    func identity() {
        let facts = BackupSessionFacts(processID: 7, startTime: "1.5", systemIdentifier: "42")
        func flaw(_ change: (inout BackupSessionFacts) -> Void) -> String? {
            var found = facts
            change(&found)
            return ParallelConnections.flaw(of: found, expected: facts)?.message
        }
        #expect(flaw { _ in } == nil)
        #expect(flaw { $0.processID = 8 }?.contains("a connection pooler") == true)
        #expect(flaw { $0.systemIdentifier = "43" }?.contains("another database cluster") == true)
        #expect(flaw { $0.startTime = "2.5" }?.contains("restarted") == true)
    }
}
