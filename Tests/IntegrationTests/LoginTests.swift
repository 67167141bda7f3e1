import Foundation
import Testing
import UnderstudyTestSupport

/// A server that lets each role in by one method, and all of them for replication only.
final class LoginServer: Sendable {
    static let password = "s3cr3t'\\pass"
    let cluster: Cluster
    let certificates: TestCertificates

    init(_ installation: PostgresInstallation) throws {
        certificates = try TestCertificates(roles: ["certified", "stranger", "careful"])
        try certificates.openssl("ec -in certified.key -aes256 -passout pass:key-s3cr3t -out locked.key")
        try certificates.openssl("ec -in certified.key -out open.key")
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o644], ofItemAtPath: certificates.path("open.key"))
        var options = Cluster.Options()
        options.settings = [
            "ssl = on", "ssl_ca_file = '\(certificates.path("ca.crt"))'",
            "ssl_cert_file = '\(certificates.path("server.crt"))'",
            "ssl_key_file = '\(certificates.path("server.key"))'",
        ]
        options.hostBasedAuthentication = [
            "hostssl replication certified 127.0.0.1/32 cert",
            "hostssl replication careful 127.0.0.1/32 scram-sha-256 clientcert=verify-full",
            "hostssl replication encrypted 127.0.0.1/32 scram-sha-256",
            "host replication scram 127.0.0.1/32 scram-sha-256", "host replication hashed 127.0.0.1/32 md5",
            "host replication clear 127.0.0.1/32 password", "host replication trusted 127.0.0.1/32 trust",
            "local replication local trust",
        ]
        cluster = try Cluster(installation, options)
        for role in ["careful", "encrypted", "scram", "clear"] {
            try cluster.makeReplicationRole(role, password: Self.password)
        }
        for role in ["certified", "trusted", "local"] { try cluster.makeReplicationRole(role) }
        let literal = Self.password.replacing("'", with: "''")
        try cluster.sql("SET password_encryption = md5; CREATE ROLE hashed LOGIN REPLICATION PASSWORD '\(literal)'")
    }

    func file(_ name: String) -> String { certificates.path(name) }

    /// One for all tests: what a test may change lies elsewhere.
    static let shared = Result { try LoginServer(#require(PostgresInstallation.withTLS.last)) }
}

/// How to log in, and what becomes of it.
struct Login: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Words of the error; nil where the login succeeds.
    var refusal: [String]?
    /// Keywords of the connection string, behind host and port; or nil where `arguments` has it all.
    var connection: (@Sendable (LoginServer) throws -> String)?
    var arguments: (@Sendable (LoginServer) throws -> [String])?
    var environment: (@Sendable (LoginServer) throws -> [String: String])?
    var input = ""

    /// - Parameter password: Goes into PGPASSWORD.
    init(_ name: String, _ keywords: String, password: Bool = true, input: String = "", refused words: String...) {
        testDescription = name
        refusal = words.isEmpty ? nil : words
        self.input = input
        connection = { server in
            // `@name` is a file of the certificates.
            keywords.split(separator: " ").map { word in
                guard let at = word.firstIndex(of: "@") else { return String(word) }
                return "\(word[..<at])\(server.file(String(word[word.index(after: at)...])))"
            }.joined(separator: " ")
        }
        if password { environment = { _ in ["PGPASSWORD": LoginServer.password] } }
    }

    func run(_ command: Command) throws -> ProgramResult {
        let server = try LoginServer.shared.get()
        let parent = try TestDirectory.make("parent")
        let words = try arguments?(server)
        let source = "host=127.0.0.1 port=\(server.cluster.port) \(try connection?(server) ?? "")"
        let all =
            ["basebackup", "-D", "\(parent)/target", "-c", "fast"] + (words ?? ["-d", source])
        let program = try UnderstudyProgram.start(all, environment: environment?(server) ?? [:], input: input)
        let result = program.wait()
        #expect(FileTree.exists("\(parent)/target/backup_manifest") == (result.status == 0))
        if result.status != 0 { #expect(FileTree.names(parent) == []) }
        return result
    }
}

@Suite(.disabled(if: isStock)) struct LoginTests {
    private static let rootAndClient = "sslmode=verify-full sslrootcert=@ca.crt"

    static let encryption = [
        Login("TLS, server verified", "user=encrypted \(rootAndClient)"),
        Login("TLS, unverified", "user=encrypted sslmode=require"),
        Login(
            "TLS, another authority", "user=encrypted sslmode=verify-full sslrootcert=@other.crt",
            refused: "certificate verify failed", "sslrootcert"),
        Login(
            "TLS, another name", "user=encrypted \(rootAndClient) host=localhost hostaddr=127.0.0.1",
            refused: "does not match host name \"localhost\""),
        Login(
            "TLS, no authority", "user=encrypted sslmode=verify-full sslrootcert=/no/such/file",
            refused: "/no/such/file"),
        Login(
            "TLS refused by us", "user=encrypted sslmode=disable",
            refused: "no pg_hba.conf entry", "no encryption", "hint: "),
        Login(
            "a client certificate", "user=certified \(rootAndClient) sslcert=@certified.crt sslkey=@certified.key",
            password: false),
        Login(
            "a client certificate beside a password",
            "user=careful \(rootAndClient) sslcert=@careful.crt sslkey=@careful.key"),
        Login(
            "a client certificate whose key is locked",
            "user=certified \(rootAndClient) sslcert=@certified.crt sslkey=@locked.key sslpassword=key-s3cr3t",
            password: false),
        Login(
            "a client certificate whose key is not unlocked",
            "user=certified \(rootAndClient) sslcert=@certified.crt sslkey=@locked.key sslpassword=wrong",
            password: false, refused: "locked.key", "hint: "),
        Login(
            "a client certificate whose key others may read",
            "user=certified \(rootAndClient) sslcert=@certified.crt sslkey=@open.key", password: false,
            refused: "open.key", "group or world access", "hint: "),
        Login(
            "no client certificate", "user=certified \(rootAndClient)", password: false,
            refused: "valid client certificate", "hint: "),
        Login(
            "a client certificate of somebody else",
            "user=certified \(rootAndClient) sslcert=@stranger.crt sslkey=@stranger.key", password: false,
            refused: "certificate authentication failed for user \"certified\"", "hint: "),
    ]

    @Test func `a server whose certificate has expired is refused`() throws {
        let certificates = try LoginServer.shared.get().certificates
        var options = Cluster.Options()
        options.settings = [
            "ssl = on", "ssl_cert_file = '\(certificates.path("expired.crt"))'",
            "ssl_key_file = '\(certificates.path("expired.key"))'",
        ]
        let cluster = try Cluster(#require(PostgresInstallation.withTLS.last), options)
        let source = "\(cluster.connectionString()) sslmode=verify-full sslrootcert=\(certificates.path("ca.crt"))"
        let target = TestDirectory.freshPath("target")
        expectRefused(
            try UnderstudyProgram.run(Command.basebackup.arguments(source, target)), "certificate verify failed",
            "expired")
        #expect(!FileTree.exists(target))
    }

    static let passwords = [
        Login("SCRAM", "user=scram"),
        Login("SCRAM with channel binding", "user=encrypted sslmode=require channel_binding=require"),
        Login("SCRAM over TLS without channel binding", "user=encrypted sslmode=require channel_binding=disable"),
        Login(
            "channel binding without TLS", "user=scram sslmode=disable channel_binding=require",
            refused: "channel binding"),
        Login("md5", "user=hashed"),
        Login("a clear password", "user=clear"),
        Login(
            "a clear password where channel binding is required", "user=clear channel_binding=require",
            refused: "channel binding"),
        Login("trust", "user=trusted", password: false),
        Login("a wrong password", "user=scram password=wrong", refused: "password authentication failed", "hint: "),
        Login("a wrong password for md5", "user=hashed password=wrong", refused: "password authentication failed"),
        Login(
            "a keyword that libpq does not know", "user=scram no_such_keyword=1",
            refused: "invalid connection option \"no_such_keyword\""),
    ]

    @Test(arguments: encryption + passwords)
    func `a login succeeds, or says why it does not`(login: Login) throws {
        try check(login)
    }

    private func check(_ login: Login) throws {
        let result = try login.run(.basebackup)
        #expect(!(result.output + result.errorOutput).contains(LoginServer.password), "\(result)")
        guard let refusal = login.refusal else {
            #expect(result.status == 0, "\(result)")
            return
        }
        #expect(result.status == 1, "\(result)")
        #expect(result.errorOutput.contains("error: "), "\(result)")
        for word in refusal { #expect(result.errorOutput.contains(word), "\(result)") }
    }

    // MARK: - Where the password comes from

    /// A file of passwords with one line for the role `scram`.
    private static func passfile(_ server: LoginServer, database: String, mode: Int = 0o600) throws -> String {
        let path = TestDirectory.freshPath("pgpass")
        let password = LoginServer.password.replacing("\\", with: "\\\\")
        try TestDirectory.write(
            "127.0.0.1:\(server.cluster.port):\(database):scram:\(password)\n", to: path, mode: mode)
        return path
    }

    private static func byFile(_ name: String, database: String, mode: Int = 0o600, refused words: String...) -> Login {
        var login = Login(name, "user=scram", password: false)
        login.environment = { ["PGPASSFILE": try passfile($0, database: database, mode: mode)] }
        login.refusal = words.isEmpty ? nil : words
        return login
    }

    private static func typed(_ name: String, _ input: String, _ options: [String], refused words: String...) -> Login {
        var login = Login(name, "", password: false, input: input)
        login.refusal = words.isEmpty ? nil : words
        login.arguments = { ["-h", "127.0.0.1", "-p", "\($0.cluster.port)", "-U", "scram"] + options }
        return login
    }

    static let sources: [Login] = [
        byFile("a line of PGPASSFILE for replication", database: "replication"),
        byFile("a line of PGPASSFILE for everything", database: "*"),
        byFile("a line of PGPASSFILE for another database", database: "postgres", refused: "no password supplied"),
        byFile(
            "a PGPASSFILE that others may read", database: "*", mode: 0o644, refused: "group or world access",
            "no password supplied"),
        {
            var login = Login("a password file in the connection string", "", password: false)
            login.connection = { "user=scram passfile=\(try passfile($0, database: "replication"))" }
            return login
        }(),
        {
            var login = Login("~/.pgpass", "user=scram", password: false)
            login.environment = { server in
                let home = try TestDirectory.make("home")
                try FileManager.default.moveItem(
                    atPath: passfile(server, database: "replication"), toPath: "\(home)/.pgpass")
                return ["HOME": home]
            }
            return login
        }(),
        {
            var login = Login("a password in the connection string", "", password: false)
            let literal = LoginServer.password.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
            login.connection = { _ in "user=scram password='\(literal)'" }
            return login
        }(),
        typed("-W, a line of standard input", LoginServer.password + "\n", ["-W"]),
        typed("-W, a line that ends as on Windows", LoginServer.password + "\r\n", ["-W"]),
        typed("asked for because the server asks", LoginServer.password + "\n", []),
        typed("-W, a wrong one", "wrong\n", ["-W"], refused: "password authentication failed"),
        typed("-W, but no input", "", ["-W"], refused: "password"),
        typed("-w, never asked for", LoginServer.password + "\n", ["-w"], refused: "no password supplied"),
    ]

    @Test(arguments: sources)
    func `a password comes from wherever libpq and the stock tool find one`(login: Login) throws {
        try check(login)
    }

    @Test(arguments: [["-W"], []])
    func `a password is typed on the terminal, unseen`(options: [String]) throws {
        let server = try LoginServer.shared.get()
        let target = TestDirectory.freshPath("target")
        // Types the password when it is asked for, and prints all that appears on the terminal.
        let script = """
            import os, pty, sys
            child, terminal = pty.fork()
            if child == 0: os.execv(sys.argv[2], sys.argv[2:])
            seen = b''
            while True:
                try: more = os.read(terminal, 1024)
                except OSError: break
                if not more: break
                if b'Password: ' in seen + more and b'Password: ' not in seen: os.write(terminal, sys.argv[1].encode() + b'\\n')
                seen += more
            sys.stdout.buffer.write(seen)
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            """
        let program = UnderstudyProgram.path
        let result = try Program.run(
            "/usr/bin/python3",
            ["-c", script, LoginServer.password, program, "basebackup", "-h", "127.0.0.1"]
                + ["-p", "\(server.cluster.port)", "-U", "scram", "-D", target, "-c", "fast"] + options,
            environment: UnderstudyProgram.environment)
        #expect(result.status == 0, "\(result)")
        #expect(result.output.contains("Password: "))
        #expect(!result.output.contains(LoginServer.password))
        #expect(FileTree.exists("\(target)/backup_manifest"))
    }

    // MARK: - Where the server's address comes from

    private static func elsewhere(
        _ name: String, environment: (@Sendable (LoginServer) throws -> [String: String])? = nil,
        _ arguments: @escaping @Sendable (LoginServer) throws -> [String]
    ) -> Login {
        var login = Login(name, "", password: false)
        login.environment = environment
        login.arguments = arguments
        return login
    }

    /// A service file with a service `here`.
    private static func services(_ server: LoginServer) throws -> String {
        let path = TestDirectory.freshPath("services")
        try TestDirectory.write("[here]\nhost=127.0.0.1\nport=\(server.cluster.port)\nuser=trusted\n", to: path)
        return path
    }

    static let addresses: [Login] = [
        elsewhere("a service", environment: { ["PGSERVICEFILE": try services($0)] }) { _ in ["-d", "service=here"] },
        elsewhere("PGSERVICE", environment: { ["PGSERVICEFILE": try services($0), "PGSERVICE": "here"] }) { _ in [] },
        elsewhere("a URI") { ["-d", "postgresql://trusted@127.0.0.1:\($0.cluster.port)"] },
        elsewhere("a URI with a database") {
            ["-d", "postgres://trusted@127.0.0.1:\($0.cluster.port)/whatever?sslmode=prefer"]
        },
        elsewhere("a Unix socket") {
            ["-d", "host=\($0.cluster.socketDirectory) port=\($0.cluster.port) user=local"]
        },
        elsewhere("a Unix socket with -h") {
            ["-h", $0.cluster.socketDirectory, "-p", "\($0.cluster.port)", "-U", "local"]
        },
        elsewhere("-h, -p and -U before -d") {
            ["-d", "host=192.0.2.1 port=1 user=nobody", "-h", "127.0.0.1", "-p", "\($0.cluster.port)", "-U", "trusted"]
        },
        elsewhere(
            "the environment",
            environment: { ["PGHOST": "127.0.0.1", "PGPORT": "\($0.cluster.port)", "PGUSER": "trusted"] }
        ) { _ in [] },
        elsewhere("several hosts, the first of them down") {
            ["-d", "host=127.0.0.1,127.0.0.1 port=\(try Port.free()),\($0.cluster.port) user=trusted"]
        },
    ]

    @Test(arguments: addresses)
    func `the server is found wherever libpq looks`(login: Login) throws {
        try check(login)
    }

    // MARK: - What the server sees

    @Test(arguments: PostgresInstallation.outermost)
    func `both connections have the name that the user gives, or ours`(installation: PostgresInstallation) throws {
        let cluster = try Cluster(installation)
        for (environment, keywords, name) in [
            (["PGAPPNAME": "from_environment"], "", "from_environment"), ([:], "application_name=given", "given"),
            ([:], "", "understudy"),
        ] {
            let parent = try TestDirectory.make("parent")
            let program = try UnderstudyProgram.start(
                Command.basebackup.arguments("\(cluster.connectionString()) \(keywords)", "\(parent)/target")
                    + ["-r", "32"], environment: environment)
            try eventually("a WAL stream: \(program.errorOutput)") {
                try #require(program.isRunning)
                return try cluster.holds("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'")
            }
            #expect(
                try cluster.sql("SELECT string_agg(application_name, ' ') FROM pg_stat_replication")
                    == "\(name) \(name)")
            program.send(SIGTERM)
            _ = program.wait()
            try cluster.expectReleased()
        }
    }

    @Test func `a standby that is cloned over TLS streams over TLS`() throws {
        let server = try LoginServer.shared.get()
        let target = TestDirectory.freshPath("standby"), passfile = TestDirectory.freshPath("pass")
        let source =
            "host=127.0.0.1 port=\(server.cluster.port) user=careful sslmode=verify-full"
            + " sslrootcert=\(server.file("ca.crt")) sslcert=\(server.file("careful.crt")) sslkey=\(server.file("careful.key"))"
        let result = try UnderstudyProgram.run(
            [
                "clone", "--primary", source, "-D", target, "--slot", "tls", "-c", "fast", "--passfile", passfile,
                "--start", "--standby-port", String(Port.free()), "--bin-dir", server.cluster.installation.programs,
            ], environment: ["PGPASSWORD": LoginServer.password])
        try #require(result.status == 0, "\(result)")
        let standby = try Cluster(running: target, server.cluster.installation)
        defer { standby.destroy() }
        // Others log in to this server meanwhile: the slot tells which connection is the standby's.
        #expect(
            try server.cluster.sql(
                """
                SELECT s.ssl, s.client_dn, r.usename FROM pg_stat_ssl s JOIN pg_stat_replication r USING (pid)
                JOIN pg_replication_slots p ON p.active_pid = r.pid AND p.slot_name = 'tls'
                """) == "t|/CN=careful|careful")
        let settings = try FileTree.text("\(target)/postgresql.auto.conf")
        #expect(settings.contains("sslmode=''verify-full''") && settings.contains("sslrootcert="), "\(settings)")
        #expect(!settings.contains("s3cr3t"))
        try standby.stop()
        try server.cluster.sql("SELECT pg_drop_replication_slot('tls')")
    }

    @Test(arguments: [NetworkProxy.Condition.stalled, .cut])
    func `a connection that stalls or breaks under TLS ends the run`(trouble: NetworkProxy.Condition) throws {
        let server = try LoginServer.shared.get()
        let proxy = try NetworkProxy(to: server.cluster.port)
        let parent = try TestDirectory.make("parent")
        proxy.change(to: trouble, afterBytes: 4 << 20)
        let source =
            "host=127.0.0.1 port=\(proxy.port) user=certified sslmode=verify-full sslrootcert=\(server.file("ca.crt"))"
            + " sslcert=\(server.file("certified.crt")) sslkey=\(server.file("certified.key"))"
        let result = try UnderstudyProgram.run(
            Command.basebackup.arguments(source, "\(parent)/target") + ["--stall-timeout=1s"])
        expectRefused(result, trouble == .cut ? "connection" : "has sent nothing for 1")
        #expect(FileTree.names(parent) == [])
    }
}
