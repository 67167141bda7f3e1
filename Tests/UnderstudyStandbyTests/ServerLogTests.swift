import Testing

@testable import UnderstudyStandby

@Suite("The log of a server")
struct ServerLogTests {
    static let tooFewConnections = """
        2026-11-28 07:00:00.000 UTC [10] LOG:  starting PostgreSQL 15.18
        2026-11-28 07:00:00.000 UTC [11] LOG:  entering standby mode
        2026-11-28 07:00:00.000 UTC [12] FATAL:  the database system is starting up
        2026-11-28 07:00:00.000 UTC [11] FATAL:  recovery aborted because of insufficient parameter settings
        2026-11-28 07:00:00.000 UTC [11] DETAIL:  max_connections = 10 is a lower setting than on the primary server, where its value was 200.
        2026-11-28 07:00:00.000 UTC [11] HINT:  You can restart the server after making the necessary configuration changes.
        2026-11-28 07:00:00.000 UTC [11] CONTEXT:  WAL redo at 0/3000060
        2026-11-28 07:00:00.000 UTC [10] LOG:  startup process (PID 11) exited with exit code 1
        2026-11-28 07:00:00.000 UTC [10] LOG:  aborting startup due to startup process failure
        2026-11-28 07:00:00.000 UTC [10] LOG:  database system is shut down

        """

    @Test("tells the first failure with its detail and hint, however much follows")
    func failure() {
        #expect(
            ServerLog(Self.tooFewConnections).firstFailure?.lines == [
                "FATAL:  recovery aborted because of insufficient parameter settings",
                "DETAIL:  max_connections = 10 is a lower setting than on the primary server, where its value was 200.",
                "HINT:  You can restart the server after making the necessary configuration changes.",
            ])
    }

    @Test("tells what stands before a failure that says little, but not the lines of every start")
    func causes() {
        let text = """
            [1] LOG:  starting PostgreSQL 18.6
            [1] LOG:  listening on IPv4 address "127.0.0.1", port 5432
            [1] LOG:  could not open file "/x/pg_hba.conf": No such file or directory
            [1] FATAL:  could not load /x/pg_hba.conf

            """
        #expect(
            ServerLog(text).firstFailure?.lines == [
                "LOG:  could not open file \"/x/pg_hba.conf\": No such file or directory",
                "FATAL:  could not load /x/pg_hba.conf",
            ])
    }

    @Test("tells a PANIC before a FATAL, and the lines of a text as one")
    func panic() {
        let text = """
            [1] FATAL:  terminating walreceiver process
            [1] PANIC:  could not create directory "pg_tblspc/1":
            \tit is no directory
            [1] KONTEXT:  x

            """
        #expect(
            ServerLog(text).firstFailure?.text
                == "PANIC:  could not create directory \"pg_tblspc/1\": it is no directory")
    }

    @Test(
        "tells it in every language",
        arguments: [
            ("de", "FATAL", "DETAIL", "TIPP"), ("de", "PANIK", "DETAIL", "TIPP"), ("es", "FATAL", "DETALLE", "HINT"),
            ("fr", "FATAL", "DÉTAIL", "ASTUCE "), ("it", "FATALE", "DETTAGLI", "SUGGERIMENTO"),
            ("it", "PANICO", "DETTAGLI", "SUGGERIMENTO"), ("ja", "FATAL", "詳細", "ヒント"),
            ("ka", "ფატალური", "დეტალები", "მინიშნება"), ("ka", "პანიკა", "დეტალები", "მინიშნება"),
            ("ko", "치명적오류", "상세정보", "힌트"), ("ko", "손상", "상세정보", "힌트"),
            ("ru", "ВАЖНО", "ПОДРОБНОСТИ", "ПОДСКАЗКА"), ("ru", "ПАНИКА", "ПОДРОБНОСТИ", "ПОДСКАЗКА"),
            ("sv", "FATALT", "DETALJ", "TIPS"), ("sv", "PANIK", "DETALJ", "TIPS"),
            ("uk", "ФАТАЛЬНО", "ВІДОМОСТІ", "УКАЗІВКА"), ("uk", "ПАНІКА", "ВІДОМОСТІ", "УКАЗІВКА"),
            ("zh_CN", "致命错误", "详细信息", "提示"), ("zh_CN", "比致命错误还过分的错误", "详细信息", "提示"),
        ])
    func languages(_ language: String, _ severity: String, _ detail: String, _ hint: String) {
        let text = "x [1] LOG:  a\nx [1] \(severity):  b\nx [1] \(detail):  c\nx [1] \(hint):  d\nx [1] LOG:  e\n"
        #expect(
            ServerLog(text).firstFailure?.lines == ["\(severity):  b", "\(detail):  c", "\(hint):  d"], "\(language)")
    }

    @Test(
        "has no failure where only words look like one",
        arguments: [
            "", "[1] LOG:  statement: SELECT 'FATAL:  x'\n", "[1] LOG:  NONFATAL:  x\n", "[1] FATAL: x\n",
            "[1] FATAL:  the database system is starting up\n", "[1] LOG:  x\n\tFATAL:  y\n",
        ])
    func none(_ text: String) {
        #expect(ServerLog(text).firstFailure == nil)
    }

    @Test("shows its last lines in one")
    func lastLines() {
        #expect(ServerLog("").lastLines == "")
        #expect(ServerLog("1\n2\n3\n4\n5\n").lastLines == "2 | 3 | 4 | 5")
    }
}
