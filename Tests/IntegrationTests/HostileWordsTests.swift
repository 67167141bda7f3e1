import Testing
import UnderstudyTestSupport

/// A server whose words hold what a terminal obeys, and lines that look like ours.
@Suite(.disabled(if: isStock)) struct HostileWordsTests {
    private static let words = "\u{1B}]0;x\u{7}\u{9B}2J\u{7F}\nunderstudy: base backup completed"
    private static let shown = "\\x1b]0;x\\x07\\xc2\\x9b2J\\x7f\n    understudy: base backup completed"

    /// Says something, and refuses the login.
    private func server() throws -> ScriptedServer {
        var bytes = ServerBytes()
        func fields(_ fields: [(String, [UInt8])]) -> [UInt8] {
            fields.flatMap { Array($0.0.utf8) + $0.1 + [0] } + [0]
        }
        let words = Array(Self.words.utf8)
        bytes.message("R", [0, 0, 0, 0])
        for severity in ["NOTICE", "understudy: base backup completed"] {
            bytes.message(
                "N",
                fields([
                    ("S", Array(severity.utf8)), ("V", Array(severity.utf8)), ("C", Array("00000".utf8)),
                    ("M", words), ("D", words + [0xFF]),
                ]))
        }
        let refusal = "no pg_hba.conf entry for replication connection from host \"0.0.0.0/0 trust #\", user \"x\", "
        bytes.message(
            "E",
            fields([
                ("S", Array("FATAL".utf8)), ("V", Array("FATAL".utf8)), ("C", Array("28000".utf8)),
                ("M", Array(refusal.utf8) + words),
            ]))
        let answer = ScriptedServer.Answer(bytes.bytes, endsConnection: true)
        return try ScriptedServer(startup: answer) { _ in answer }
    }

    @Test func `are printed without harm, and lines to paste hold what was asked for`() throws {
        let server = try server()
        let result = try UnderstudyProgram.run([
            "basebackup", "-d", "host=127.0.0.1 port=\(server.port) user='a b' sslmode=disable", "-D",
            TestDirectory.freshPath("target"), "-w",
        ])
        #expect(result.status == 1)
        #expect(result.output == "")
        let notice = "NOTICE:  \(Self.shown)\n    DETAIL:  \(Self.shown)\u{FFFD}\n"
        let expected = """
            \(notice)\(notice)understudy: error: connection to server at "127.0.0.1", port \(server.port) failed: \
            FATAL:  no pg_hba.conf entry for replication connection from host "0.0.0.0/0 trust #", user "x", \(Self.shown)
            understudy: hint: Put the line "host  replication  "a b"  ADDRESS  md5" at the top of pg_hba.conf on the \
            primary (SHOW hba_file; names it), then: SELECT pg_reload_conf();

            """
        #expect(result.errorOutput.contains("understudy: error: "))
        #expect(result.errorOutput == expected)
    }
}
