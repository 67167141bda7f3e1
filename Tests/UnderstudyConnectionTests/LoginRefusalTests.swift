import Testing

@testable import UnderstudyConnection

@Suite("What libpq says of a login that failed")
struct LoginRefusalTests {
    @Test(
        "is taken apart into severity, SQLSTATE and message, whatever the language",
        arguments: [
            (
                #"""
                connection to server at "10.0.0.1", port 5432 failed: FATAL:  28P01: password authentication failed for user "r"
                LOCATION:  auth_failed, auth.c:326
                """#,
                #"connection to server at "10.0.0.1", port 5432 failed: FATAL:  password authentication failed for user "r""#,
                ServerMessage(
                    severity: "FATAL", sqlState: "28P01", message: #"password authentication failed for user "r""#)
            ),
            (
                #"""
                connection to server on socket "/run/.s.PGSQL.5432" failed: FATAL:  28P01: Passwort-Authentifizierung für Benutzer »r« fehlgeschlagen
                LOCATION:  auth_failed, auth.c:326
                """#,
                #"connection to server on socket "/run/.s.PGSQL.5432" failed: FATAL:  Passwort-Authentifizierung für Benutzer »r« fehlgeschlagen"#,
                ServerMessage(
                    severity: "FATAL", sqlState: "28P01",
                    message: "Passwort-Authentifizierung für Benutzer »r« fehlgeschlagen")
            ),
            (
                #"connection to server at "h" (::1), port 1 failed: ВАЖНО:  53300: превышено число"#,
                #"connection to server at "h" (::1), port 1 failed: ВАЖНО:  превышено число"#,
                ServerMessage(severity: "ВАЖНО", sqlState: "53300", message: "превышено число")
            ),
            (
                """
                FATAL:  53300: number of requested standby connections exceeds max_wal_senders (currently 2)
                DETAIL:  All are in use.
                HINT:  Wait.
                """,
                "FATAL:  number of requested standby connections exceeds max_wal_senders (currently 2)",
                ServerMessage(
                    severity: "FATAL", sqlState: "53300",
                    message: "number of requested standby connections exceeds max_wal_senders (currently 2)",
                    detail: "All are in use.", hint: "Wait.")
            ),
        ])
    func refused(_ verbose: String, _ text: String, _ server: ServerMessage) {
        let refusal = LoginRefusal(verbose)
        #expect(refusal.text == text)
        #expect(refusal.server == server)
    }

    @Test("is taken apart at bytes: a combining character makes one character with the space before it")
    func combining() {
        let refusal = LoginRefusal("FATAL:  28000: \u{301}a\r\nDETAIL:  \u{301}b\nHINT:  \u{301}c\nLOCATION:  \u{301}d")
        #expect(
            refusal.server
                == ServerMessage(
                    severity: "FATAL", sqlState: "28000", message: "\u{301}a\r", detail: "\u{301}b", hint: "\u{301}c"))
        #expect(refusal.text == "FATAL:  \u{301}a\r")
    }

    @Test("of several hosts is kept whole, and the last refusal is the one that counts")
    func several() {
        let refusal = LoginRefusal(
            #"""
            connection to server at "a", port 1 failed: FATAL:  57P03: the database system is starting up
            LOCATION:  ProcessStartupPacket, postmaster.c:2299
            connection to server at "b", port 1 failed: Connection refused
            	Is the server running on that host and accepting TCP/IP connections?
            connection to server at "c", port 1 failed: FATAL:  28000: no pg_hba.conf entry
            """#)
        #expect(
            refusal.text == #"""
                connection to server at "a", port 1 failed: FATAL:  the database system is starting up
                connection to server at "b", port 1 failed: Connection refused
                	Is the server running on that host and accepting TCP/IP connections?
                connection to server at "c", port 1 failed: FATAL:  no pg_hba.conf entry
                """#)
        #expect(refusal.server?.sqlState == "28000")
    }

    @Test(
        "is left as it is when it is no server's",
        arguments: [
            #"connection to server at "a", port 1 failed: Connection refused"#, "",
            #"could not translate host name "x" to address: Name or service not known"#,
            "FATAL:  28p01: lower case is no state", "FATAL:  2801: too short", "FATAL:  28P01 no colon",
        ])
    func local(_ text: String) {
        #expect(LoginRefusal(text).text == text)
        #expect(LoginRefusal(text).server == nil)
    }

    @Test("never shows where in its source the server refused")
    func location() {
        let refusal = LoginRefusal("FATAL:  28000: role \"r\" does not exist\nLOCATION:  InitializeSessionUserId")
        #expect(refusal.text == "FATAL:  role \"r\" does not exist")
    }
}
