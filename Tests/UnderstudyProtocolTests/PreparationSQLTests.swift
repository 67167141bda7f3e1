import Testing
import UnderstudyProtocol

@Suite("What is asked of a primary, by version") struct PreparationSQLTests {
    private func sql(_ version: Int) -> PreparationSQL { PreparationSQL(ServerVersion(number: version)) }

    @Test func `old servers are asked for nothing that only new ones have`() {
        #expect(!sql(90_325).server.text.contains("pg_replication_slots"))
        #expect(sql(90_400).server.text.contains("pg_replication_slots"))
        #expect(sql(90_400).configured(["wal_level"]) == nil && sql(90_500).configured(["wal_level"]) != nil)
        #expect(sql(90_400).pendingSettings == nil && sql(90_500).pendingSettings != nil)
        #expect(!sql(90_400).settings(["ssl"]).text.contains("pending_restart"))
        #expect(sql(90_600).ruleErrors == nil && sql(100_000).ruleErrors != nil)
        #expect(!(sql(150_000).ruleErrors?.text.contains("file_name") ?? true))
        #expect(sql(160_000).ruleErrors?.text.contains("file_name") == true)
        #expect(!sql(140_000).settings(["ssl"]).text.contains("has_parameter_privilege"))
    }

    @Test func `the log is silenced by settings that the version has`() {
        #expect(sql(90_300).silence.map(\.name).prefix(2) == ["log_statement", "log_min_duration_statement"])
        #expect(!sql(110_000).silence.contains { $0.name == "log_transaction_sample_rate" })
        #expect(sql(120_000).silence.contains { $0.name == "log_transaction_sample_rate" })
        #expect(!sql(120_000).silence.contains { $0.name == "log_min_duration_sample" })
        #expect(sql(130_000).silence.contains { $0.name == "log_min_duration_sample" })
    }

    @Test func `a role's name and verifier are quoted`() {
        let new = RoleStatement(role: "A \"b\"", isNew: true, login: true, replication: true, verifier: "md5'x")
        #expect(new.text == #"CREATE ROLE "A ""b""" WITH LOGIN REPLICATION PASSWORD 'md5''x';"#)
        #expect(new.shownText == #"CREATE ROLE "A ""b""" WITH LOGIN REPLICATION PASSWORD 'md5...';"#)
        #expect(new.linesForPsql == [#"CREATE ROLE "A ""b""" WITH LOGIN REPLICATION;"#, #"\password "A ""b""""#])
        #expect(new.undo == #"DROP ROLE "A ""b""";"#)
    }

    @Test func `a role gets what it lacks, and that can be taken back`() {
        let mended = RoleStatement(role: "r", isNew: false, login: false, replication: true, renews: true)
        #expect(mended.text == "ALTER ROLE r WITH REPLICATION VALID UNTIL 'infinity';")
        #expect(mended.undo == "ALTER ROLE r WITH NOREPLICATION;")
        let password = RoleStatement(
            role: "r", isNew: false, login: false, replication: false, verifier: "SCRAM-SHA-256$x")
        #expect(password.undo == nil && password.linesForPsql == ["\\password r"])
        #expect(password.shownText == "ALTER ROLE r WITH PASSWORD 'SCRAM-SHA-256$...';")
        #expect(RoleStatement(role: "r", isNew: false, login: false, replication: false).isEmpty)
    }
}
