import Testing
import UnderstudyProtocol

@testable import UnderstudyStandby

@Suite("Logs of the primary in a copy")
struct CopiedLogsTests {
    @Test(
        "are in the directory that the setting names, if the server uses it for nothing else",
        arguments: [
            (nil, 150_000, "log"), (nil, 90_600, "pg_log"), ("log", 150_000, "log"), ("./a//b/", 150_000, "a/b"),
            ("/srv/data/logs", 150_000, "logs"), ("/srv/data/../logs", 150_000, nil), ("/var/log", 150_000, nil),
            ("/srv/data", 150_000, nil), ("/srv/data/pg_wal", 150_000, nil), (".", 150_000, nil), ("..", 150_000, nil),
            ("a/../base", 150_000, nil), ("base", 150_000, nil), ("global/x", 150_000, nil), ("pg_wal", 150_000, nil),
            ("", 150_000, nil), ("pg_log", 150_000, "pg_log"),
        ] as [(String?, Int, String?)])
    func place(_ setting: String?, _ version: Int, _ place: String?) {
        #expect(CopiedLogs.place(setting, in: "/srv/data", ServerVersion(number: version)) == place)
    }

    @Test(
        "are known by their names",
        arguments: [
            ("postgresql-2026-11-28.log", true), ("a.csv", true), ("a.json", true), ("a.log.1", true),
            ("a.log.2.gz", true),
            ("a.log.old", true), ("extra.conf", false), ("server.key", false), ("log", false), (".log", true),
            ("a.gz", false),
            ("a.1", false), ("", false), ("postgresql.conf.log.bak", false),
        ])
    func name(_ name: String, _ isLog: Bool) {
        #expect(CopiedLogs.isLog(name) == isLog)
    }
}
