import Testing

@testable import UnderstudyProtocol

@Suite("What a base backup over ordinary connections asks")
struct BackupSQLTests {
    private static let common = [
        "pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)",
        "pg_read_binary_file(text, bigint, bigint, boolean)",
    ]

    @Test(
        "needs rights that the functions' names of that version give",
        arguments: [
            (110_022, ["pg_start_backup(text, boolean, boolean)", "pg_stop_backup(boolean, boolean)"]),
            (120_022, ["pg_start_backup(text, boolean, boolean)", "pg_stop_backup(boolean, boolean)"]),
            (130_018, ["pg_start_backup(text, boolean, boolean)", "pg_stop_backup(boolean, boolean)"]),
            (140_018, ["pg_start_backup(text, boolean, boolean)", "pg_stop_backup(boolean, boolean)"]),
            (150_013, ["pg_backup_start(text, boolean)", "pg_backup_stop(boolean)"]),
            (190_000, ["pg_backup_start(text, boolean)", "pg_backup_stop(boolean)"]),
        ] as [(Int, [String])])
    func grants(_ version: Int, _ names: [String]) {
        let sql = BackupSQL(ServerVersion(number: version))
        // Those that are not for everybody as a server is made.
        #expect(
            sql.privileges.prefix(5).map { $0.grant(to: "r") }
                == (names + Self.common).map { "GRANT EXECUTE ON FUNCTION pg_catalog.\($0) TO r;" })
        #expect(
            sql.privileges.suffix(2).map { $0.grant(to: "\"a b\"") } == [
                "GRANT SELECT ON pg_catalog.pg_tablespace TO \"a b\";",
                "GRANT SELECT ON pg_catalog.pg_settings TO \"a b\";",
            ])
        // The functions that are called are those that are granted.
        for name in names {
            let called = "\(name.prefix { $0 != "(" })("
            #expect((sql.start(label: "l", fast: true).text + sql.stop(waits: false).text).contains(called))
        }
    }

    @Test(
        "is set for each connection, as far as the version knows it",
        arguments: [
            (90624, [], ["jit", "idle_session_timeout", "transaction_timeout"]),
            (110_022, ["jit"], ["idle_session_timeout", "transaction_timeout"]),
            (140_018, ["jit", "idle_session_timeout"], ["transaction_timeout"]),
            (190_000, ["jit", "idle_session_timeout", "transaction_timeout"], []),
        ] as [(Int, [String], [String])])
    func settings(_ version: Int, _ known: [String], _ unknown: [String]) {
        let text = BackupSQL(ServerVersion(number: version)).settings
        for name in known + [
            "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "search_path", "work_mem",
        ] { #expect(text.contains("SET \(name) = "), "\(name)") }
        for name in unknown { #expect(!text.contains(name), "\(name)") }
    }
}
