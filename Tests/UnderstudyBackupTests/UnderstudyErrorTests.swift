import Glibc
import Testing
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming

@testable import UnderstudyBackup
@testable import UnderstudyConnection
@testable import UnderstudyCore

@Suite("What an error says, and what to do about it")
struct BackupErrorTests {
    struct Login: Sendable {
        var state: String
        var message: String
        var code: UnderstudyError.Code
        var hint: String
        var user: String?
    }

    static let logins = [
        Login(
            state: "28P01", message: #"password authentication failed for user "r""#, code: .authentication,
            hint: "Check the password in the connection string, PGPASSWORD or ~/.pgpass"),
        Login(
            state: "28000",
            message: #"no pg_hba.conf entry for replication connection from host "10.0.0.2", user "r", no encryption"#,
            code: .authentication,
            hint: #"Put the line "host  replication  r  10.0.0.2/32  scram-sha-256" at the top of pg_hba.conf"#),
        Login(
            state: "28000",
            message: #"pg_hba.conf rejects replication connection for host "::1", user "r", SSL encryption"#,
            code: .authentication,
            hint: #"Put the line "host  replication  r  ::1/128  scram-sha-256" at the top of pg_hba.conf"#),
        Login(
            state: "28000",
            message: #"no pg_hba.conf entry for replication connection from host "[local]", user "r", no encryption"#,
            code: .authentication,
            hint: #"Put the line "local  replication  r  scram-sha-256" at the top of pg_hba.conf"#),
        Login(
            state: "28000",
            message: #"no pg_hba.conf entry for replication connection from host "10.0.0.2", user "r", SSL encryption"#,
            code: .authentication,
            hint:
                "SELECT pg_reload_conf(); If the password of the role was set with password_encryption = md5, set it again, or write md5."
        ),
        // Before 14 both kinds of passwords are common, and before 10 the whole file would be refused.
        Login(
            state: "28000",
            message: #"no pg_hba.conf entry for replication connection from host "10.0.0.2", user "r", SSL off"#,
            code: .authentication,
            hint: #"Put the line "host  replication  r  10.0.0.2/32  md5" at the top of pg_hba.conf"#),
        Login(
            state: "28000", message: #"role "r" does not exist"#, code: .authentication,
            hint: "CREATE ROLE r WITH REPLICATION LOGIN"),
        Login(
            state: "28000", message: #"Peer authentication failed for user "r""#, code: .authentication,
            hint: "asks for a proof that was not given"),
        Login(
            state: "42501", message: "must be superuser or replication role to start walsender",
            code: .authentication, hint: "WITH REPLICATION;"),
        Login(
            state: "42501", message: "permission denied to start WAL sender", code: .authentication,
            hint: "WITH REPLICATION;"),
        Login(
            state: "53300",
            message: "number of requested standby connections exceeds max_wal_senders (currently 1)", code: .server,
            hint: "On the primary: ALTER SYSTEM SET max_wal_senders = 11; then restart it."),
        Login(
            state: "53300",
            message: "number of requested standby connections exceeds max_wal_senders (currently 0)", code: .server,
            hint:
                "On the primary: ALTER SYSTEM SET max_wal_senders = 10; ALTER SYSTEM SET wal_level = replica; then restart it. Before 9.6 that level is called hot_standby."
        ),
        // Poolers, and a server that takes the word for a database.
        Login(
            state: "08P01", message: "unsupported startup parameter: replication", code: .authentication,
            hint: "A connection pooler answers there"),
        Login(
            state: "3D000", message: "no such database: replication", code: .authentication,
            hint: "A connection pooler answers there"),
        Login(
            state: "3D000", message: #"database "replication" does not exist"#, code: .authentication,
            hint: "A connection pooler answers there"),
        Login(
            state: "53300", message: "sorry, too many clients already", code: .server,
            hint: "raise max_connections on the primary"),
        Login(
            state: "53300", message: #"too many connections for role "r""#, code: .server,
            hint: "ALTER ROLE r CONNECTION LIMIT -1;", user: "r"),
        // Of which both have the name.
        Login(
            state: "53300", message: #"too many connections for database "r""#, code: .server,
            hint: "ALTER DATABASE r CONNECTION LIMIT -1;", user: "r"),
        Login(
            state: "57P03", message: "the database system is starting up", code: .connection, hint: "try again"),
    ]

    @Test("a login that the server refuses has the line to write", arguments: logins)
    func refused(_ login: Login) {
        let server = ServerMessage(severity: "FATAL", sqlState: login.state, message: login.message)
        var refused = ConnectionError(
            .refused, "connection to server failed: FATAL:  \(login.message)", server: server)
        refused.user = login.user
        let error = UnderstudyError(refused)
        #expect(error.isLimitOfRole == login.message.contains("for role"))
        #expect(error.code == login.code)
        #expect(error.hint?.contains(login.hint) == true, "\(error.hint ?? "")")
        #expect(error.sqlState == login.state)
        #expect(error.message == "connection to server failed: FATAL:  \(login.message)")
    }

    @Test(
        "what to write depends on the server's version",
        arguments: [
            (
                90_400, "55000", "wal_level too low",
                "On the primary: ALTER SYSTEM SET wal_level = hot_standby; then restart it."
            ),
            (
                90_300, "55000", "wal_level too low",
                "Set wal_level = hot_standby in postgresql.conf on the primary (SHOW config_file; names it), then restart it."
            ),
            (
                90_600, "55000", "wal_level too low",
                "On the primary: ALTER SYSTEM SET wal_level = replica; then restart it."
            ),
            (
                90_600, "55000", "replication slots can only be used if max_replication_slots > 0",
                "On the primary: ALTER SYSTEM SET max_replication_slots = 20; then restart it, or drop a slot that nobody needs: SELECT slot_name, active, restart_lsn FROM pg_replication_slots;"
            ),
            (
                90_300, "58P01", "removed",
                "Set wal_keep_segments = 64 in postgresql.conf on the primary (SHOW config_file; names it), then: SELECT pg_reload_conf();"
            ),
            (
                120_000, "58P01", "removed",
                "Use a replication slot, or on the primary: ALTER SYSTEM SET wal_keep_segments = 64; then: SELECT pg_reload_conf();"
            ),
            (
                130_000, "58P01", "removed",
                "Use a replication slot, or on the primary: ALTER SYSTEM SET wal_keep_size = '1GB'; then: SELECT pg_reload_conf();"
            ),
            (
                90_400, "55006", "slot \"s\" is active",
                "To find it, ask the server: SELECT * FROM pg_stat_replication;"
            ),
            (
                90_500, "55006", "slot \"s\" is active",
                "WHERE pid = (SELECT active_pid FROM pg_replication_slots WHERE slot_name = 's');"
            ),
            (90_500, "42704", "no slot \"s\"", "SELECT pg_create_physical_replication_slot('s');"),
            (90_600, "42704", "no slot \"s\"", "SELECT pg_create_physical_replication_slot('s', true);"),
        ])
    func versions(_ version: Int, _ state: String, _ message: String, _ hint: String) {
        var error = ConnectionError(
            .server, message, server: ServerMessage(severity: "ERROR", sqlState: state, message: message))
        error.serverVersion = ServerVersion(number: version)
        let said = UnderstudyError(error, of: .slot).hint
        #expect(said?.hasSuffix(hint) == true, "\(said ?? "")")
    }

    struct Paste: Sendable {
        var host: String
        var user: String?
        var line: String
    }

    private static let address = "10.0.0.2/32"

    static let pastes = [
        // A server's word for the address, or for the user where nothing else tells it, is not taken for more than it is.
        Paste(host: "0.0.0.0/0 trust #", user: "r", line: "host  replication  r  ADDRESS  md5"),
        Paste(host: "10.0.0.2\n#", user: "r", line: "host  replication  r  ADDRESS  md5"),
        Paste(host: "10.0.0.2 ", user: "r", line: "host  replication  r  ADDRESS  md5"),
        Paste(host: "010.0.0.2", user: "r", line: "host  replication  r  ADDRESS  md5"),
        Paste(host: "::/0 trust #::", user: "r", line: "host  replication  r  ADDRESS  md5"),
        Paste(host: "[local]x", user: "r", line: "host  replication  r  ADDRESS  md5"),
        Paste(host: "", user: "r", line: "host  replication  r  ADDRESS  md5"),
        Paste(host: "fe80::1%eth0", user: "r", line: "host  replication  r  fe80::1/128  md5"),
        Paste(host: "10.0.0.2%1", user: "r", line: "host  replication  r  ADDRESS  md5"),
        Paste(host: "10.0.0.2", user: nil, line: "host  replication  told  \(address)  md5"),
        // Whom we asked for counts, whatever the server says.
        Paste(host: "10.0.0.2", user: "all", line: "host  replication  \"all\"  \(address)  md5"),
        Paste(host: "10.0.0.2", user: "a b", line: "host  replication  \"a b\"  \(address)  md5"),
        Paste(host: "10.0.0.2", user: "+r", line: "host  replication  \"+r\"  \(address)  md5"),
        Paste(host: "10.0.0.2", user: "a\"b#", line: "host  replication  \"a\"\"b#\"  \(address)  md5"),
        Paste(host: "10.0.0.2", user: "é", line: "host  replication  \"é\"  \(address)  md5"),
        Paste(host: "10.0.0.2", user: "/^.*$", line: "host  replication  USER  \(address)  md5"),
        Paste(host: "10.0.0.2", user: "a\nb", line: "host  replication  USER  \(address)  md5"),
        Paste(host: "10.0.0.2", user: "a\u{202E}b", line: "host  replication  USER  \(address)  md5"),
        Paste(host: "10.0.0.2", user: "", line: "host  replication  USER  \(address)  md5"),
        Paste(
            host: "10.0.0.2", user: String(repeating: "x", count: 64),
            line: "host  replication  USER  \(address)  md5"),
    ]

    @Test("the line of pg_hba.conf holds nothing but what it says", arguments: pastes)
    func pastedHBALine(_ paste: Paste) {
        let message = "no pg_hba.conf entry for replication connection from host \"\(paste.host)\", user \"told\""
        let server = ServerMessage(severity: "FATAL", sqlState: "28000", message: message)
        var refused = ConnectionError(.refused, message, server: server)
        refused.user = paste.user
        #expect(
            UnderstudyError(refused).hint
                == "Put the line \"\(paste.line)\" at the top of pg_hba.conf on the primary (SHOW hba_file; names it), then: SELECT pg_reload_conf();"
        )
    }

    @Test(
        "an address that is not this side's is doubted",
        arguments: [
            ("10.0.0.2", nil, nil), ("10.0.0.2", "10.0.0.2", nil), ("fe80::1%eth0", "fe80::1%2", nil),
            ("[local]", "10.0.0.2", nil),
            ("x", "10.0.0.2", nil), ("10.0.0.2", "192.168.0.7", "192.168.0.7"), ("::1", "127.0.0.1", "127.0.0.1"),
        ] as [(String, String?, String?)])
    func doubtedAddress(told: String, own: String?, doubt: String?) {
        let message = "no pg_hba.conf entry for replication connection from host \"\(told)\", user \"r\""
        let server = ServerMessage(severity: "FATAL", sqlState: "28000", message: message)
        var refused = ConnectionError(.refused, message, server: server)
        refused.ownAddress = own
        let hint = UnderstudyError(refused).hint
        let words = doubt.map { " tells the address \(told); here the connection comes from \($0)." }
        #expect(hint?.contains(words ?? "SELECT pg_reload_conf();") == true, "\(hint ?? "")")
        #expect(hint?.hasSuffix("SELECT pg_reload_conf();") == (doubt == nil))
    }

    @Test(
        "the role in a statement to paste is one name",
        arguments: [
            ("x WITH SUPERUSER LOGIN; --", nil, #""x WITH SUPERUSER LOGIN; --""#), ("r", "a", "a"),
            ("r", "A", "\"A\""), ("r", "user", "\"user\""), ("r", "1a", "\"1a\""), ("r", "", "NAME"),
            ("r", "a\u{1B}", "NAME"), ("r", "a\"\u{301}; --", "\"a\"\"\u{301}; --\""), ("\n", nil, "NAME"),
        ] as [(String, String?, String)])
    func pastedRole(told: String, asked: String?, name: String) {
        for (state, message, hint) in [
            (
                "28000", "role \"\(told)\" does not exist",
                "Make the role on the primary: CREATE ROLE \(name) WITH REPLICATION LOGIN PASSWORD '...';"
            ),
            (
                "42501", "permission denied to start WAL sender",
                "Give the role the right on the primary: ALTER ROLE \(asked == nil ? "NAME" : name) WITH REPLICATION;"
            ),
        ] {
            let server = ServerMessage(severity: "FATAL", sqlState: state, message: message)
            var refused = ConnectionError(.refused, message, server: server)
            refused.user = asked
            #expect(UnderstudyError(refused).hint == hint)
        }
    }

    static let commands: [(String, String, UnderstudyError.Code, UnderstudyError.Code, String?)] = [
        ("42710", #"replication slot "s" already exists"#, .slot, .slot, "Choose another name"),
        ("42704", #"replication slot "s" does not exist"#, .wal, .slot, "pg_create_physical_replication_slot"),
        ("42704", #"unrecognized configuration parameter "x""#, .server, .server, nil),
        ("55006", #"replication slot "s" is active for PID 1"#, .slot, .slot, "stop the client that uses this one"),
        ("53400", "all replication slots are in use", .slot, .slot, "ALTER SYSTEM SET max_replication_slots = 20;"),
        (
            "53400", #"temporary file size exceeds "temp_file_limit" (64kB)"#, .server, .server,
            "SET temp_file_limit = -1;"
        ),
        ("53300", "too many senders", .server, .server, "ALTER SYSTEM SET max_wal_senders = 20;"),
        (
            "58P01", "requested WAL segment 000000010000000000000001 has already been removed", .wal, .wal,
            "Use a replication slot"
        ),
        (
            "55000", "WAL level not sufficient for making an online backup", .server, .server,
            "ALTER SYSTEM SET wal_level = replica;"
        ),
        ("42501", "could not open file \"./x\": Permission denied", .server, .server, "That is the server's"),
        ("58P01", "could not open file \"./x\": No such file", .server, .server, "That is the server's"),
        (
            "XX000", "invalid segment number 0 in file \"16384.x\"", .server, .server,
            "verifyServerChecksums = false"
        ),
        ("XX001", "checksum verification failure during base backup", .server, .damagedPages, nil),
        ("42601", "syntax error", .server, .server, "not to a pooler"),
    ]

    @Test("a command that the server refuses says what to change", arguments: commands)
    func server(
        _ state: String, _ message: String, _ command: UnderstudyError.Code, _ code: UnderstudyError.Code,
        _ hint: String?
    ) {
        let server = ServerMessage(severity: "ERROR", sqlState: state, message: message)
        let error = UnderstudyError(ConnectionError(.server, message, server: server), of: command)
        #expect(error.code == code)
        #expect(error.sqlState == state)
        #expect(error.message == "the server says: \(message)")
        if let hint {
            #expect(error.hint?.contains(hint) == true, "\(error.hint ?? "")")
        } else {
            #expect(error.hint == nil)
        }
    }

    @Test(
        "senders that a killed run may have left are counted",
        arguments: [
            ([], "None of the senders in use takes a base backup."),
            (
                ["7"],
                "1 WAL sender takes a base backup or has yet to begin (pid 7): if a run that was killed has left it"
            ),
            (["7", "8"], "2 WAL senders take base backups or have yet to begin (pid 7, 8): if"),
            (["1", "2", "3", "4", "5", "6"], "(pid 1, 2, 3, 4, 5 and 1 more)"),
        ] as [([String], String)])
    func senders(_ processes: [String], _ words: String) {
        let hint = WALSendersInUse.hint(processes, raise: "Raise it.")
        #expect(hint.hasPrefix("Raise it. "))
        #expect(hint.contains(words), "\(hint)")
    }

    @Test("what the server says in detail and hint is kept, unless there is a better hint")
    func ofServer() {
        var full = ServerMessage(severity: "ERROR", sqlState: "53400", message: "full", hint: "Free one.")
        #expect(
            UnderstudyError(ConnectionError(.server, "full", server: full)).hint?.contains("ALTER SYSTEM SET max_re")
                == true)
        full.sqlState = "42601"
        #expect(
            UnderstudyError(ConnectionError(.server, "full", server: full)).hint == "The server says: Free one.")
        let server = ServerMessage(
            severity: "ERROR", sqlState: "22023", message: "m", detail: "Its detail.", hint: "Its hint.")
        let error = UnderstudyError(ConnectionError(.server, "m", server: server))
        #expect(error.detail == "Its detail.")
        #expect(error.hint == "The server says: Its hint.")
        #expect(
            error.description == "the server says: m\nDETAIL:  Its detail.\nHINT:  The server says: Its hint.")
    }

    @Test("every failure of a connection has a code, and most have a hint")
    func connections() {
        let table: [(ConnectionError.Code, UnderstudyError.Code, Bool)] = [
            (.parameters, .options, true), (.unreachable, .connection, true), (.timedOut, .connection, true),
            (.refused, .authentication, false), (.passwordNeeded, .passwordNeeded, true), (.server, .server, false),
            (.lost, .connection, true), (.protocolViolation, .protocolViolation, false),
            (.interrupted, .cancelled, false),
        ]
        for (code, expected, hasHint) in table {
            let error = UnderstudyError(ConnectionError(code, "m"))
            #expect(error.code == expected)
            #expect((error.hint != nil) == hasHint, "\(code)")
        }
    }

    @Test(
        "a file's failure has the hint of its cause",
        arguments: [
            (ENOSPC, UnderstudyError.Code.noSpace, "Free space"), (EDQUOT, .noSpace, "quota"),
            (EIO, .fileSystem, "dmesg"),
            (EROFS, .fileSystem, "read-only"), (EACCES, .fileSystem, "permission"), (EMFILE, .resources, "ulimit"),
            (ENOMEM, .resources, "memory"),
        ])
    func files(number: CInt, code: UnderstudyError.Code, word: String) {
        let error = UnderstudyError(FileIOError("could not write to file", "/x", number: number))
        #expect(error.code == code)
        #expect(error.message == "could not write to file \"/x\": \(FileIOError.text(of: number))")
        #expect(error.hint?.contains(word) == true)
    }

    @Test("a WAL stream's failure is that of its cause")
    func receiving() {
        let removed = ServerMessage(severity: "ERROR", sqlState: "58P01", message: "removed")
        let connection = UnderstudyError(ReceiveError(ConnectionError(.server, "removed", server: removed)))
        #expect(connection.code == .wal)
        #expect(connection.message == "could not receive WAL: the server says: removed")
        #expect(connection.hint?.contains("replication slot") == true)
        let full = WALDestinationError(FileIOError("a", "/x", number: ENOSPC))
        #expect(UnderstudyError(ReceiveError(full)).code == .noSpace)
        #expect(UnderstudyError(ReceiveError(.protocolViolation, "m")).code == .protocolViolation)
        #expect(UnderstudyError(ReceiveError(.endedEarly, "m")).code == .wal)
    }

    @Test("a target that is refused says which, and what to do")
    func targets() {
        let notEmpty = UnderstudyError(.notEmpty("/x"), what: "WAL directory")
        #expect(notEmpty.code == .target)
        #expect(notEmpty.message == "WAL directory \"/x\" exists but is not empty")
        let file = UnderstudyError(.notADirectory("/x"), what: "directory")
        #expect(file.code == .target)
        #expect(file.message == "\"/x\" is not a directory")
        let failed = UnderstudyError(
            .failed(attempt: "could not write to directory", path: "/x", number: EACCES), what: "directory")
        #expect(failed.code == .target)
        #expect(failed.message == "could not write to directory \"/x\": Permission denied")
        let full = UnderstudyError(
            .failed(attempt: "could not create directory", path: "/x", number: ENOSPC), what: "directory")
        #expect(full.code == .noSpace)
    }
}
