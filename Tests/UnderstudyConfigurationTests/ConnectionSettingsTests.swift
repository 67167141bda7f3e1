import Testing
import UnderstudyConfiguration

@Suite struct ConnectionSettingsTests {
    @Test(
        "a value is quoted where libpq or the stock tools would need it",
        arguments: [
            ("10.0.0.1", "host=10.0.0.1"), ("db_1", "host=db_1"), ("", "host=''"), ("a b", "host='a b'"),
            ("/var/run", "host='/var/run'"), ("it's", #"host='it\'s'"#), (#"a\b"#, #"host='a\\b'"#),
            ("müller", "host='müller'"), ("::1", "host='::1'"), ("a=b", "host='a=b'"), ("a\nb", "host='a\nb'"),
            ("\r\n", "host='\r\n'"), ("e\u{301}", "host='e\u{301}'"),
        ])
    func quotes(value: String, conninfo: String) {
        #expect(ConnectionSettings(["host": value]).conninfo == conninfo)
    }

    @Test("order is kept, and of a keyword given twice the last value counts")
    func order() {
        var settings = ConnectionSettings(["user": "r", "host": "a", "user": "s"])
        #expect(settings.conninfo == "user=s host=a")
        settings["user"] = nil
        settings["port"] = "5433"
        settings["absent"] = nil
        #expect(settings.conninfo == "host=a port=5433")
        #expect(settings["host"] == "a" && settings["user"] == nil)
        #expect(ConnectionSettings().conninfo == "")
    }

    @Test(
        "no description shows a secret",
        arguments: ["password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"])
    func secrets(keyword: String) {
        let settings = ConnectionSettings(["user": "r", keyword: "hunter2"])
        var dumped = ""
        dump(settings, to: &dumped)
        for text in [settings.description, String(describing: settings), String(reflecting: settings), dumped] {
            #expect(!text.contains("hunter2") && text.contains("user=r"))
        }
        #expect(settings.conninfo.contains("hunter2"))
    }
}

@Suite struct PrimaryConnInfoTests {
    /// What `PQconninfo` of a 15 libpq gives for "host=10.0.0.1 user=r password=…".
    static let connection = ConnectionSettings([
        "user": "r", "password": "it's", "channel_binding": "prefer", "dbname": "replication",
        "host": "10.0.0.1", "port": "5432", "passfile": "/root/.pgpass", "fallback_application_name": "understudy",
        "options": "", "replication": "true", "sslmode": "prefer", "sslcompression": "0", "sslsni": "1",
        "ssl_min_protocol_version": "TLSv1.2", "gssencmode": "prefer", "krbsrvname": "postgres",
        "target_session_attrs": "any", "service": "main",
    ])

    @Test("what the user gave is kept, what libpq filled in is not", arguments: [90_325, 100_006, 150_018, 190_000])
    func keepsLittle(serverVersion: Int) {
        let info = PrimaryConnInfo(Self.connection, forServer: serverVersion)
        #expect(info.conninfo == #"user=r password='it\'s' host=10.0.0.1 port=5432"#)
        #expect(info.dropped.isEmpty && info.environmentPassfile == nil)
    }

    @Test(
        "keywords that a server's libpq does not know are dropped, and named",
        arguments: [
            (90_325, ["application_name", "connect_timeout", "sslrootcert"]),
            (90_600, ["application_name", "connect_timeout", "sslrootcert"]),
            (100_000, ["application_name", "connect_timeout", "sslrootcert"]),
            (120_000, ["application_name", "connect_timeout", "gssencmode", "sslrootcert", "tcp_user_timeout"]),
            (
                130_000,
                [
                    "application_name", "channel_binding", "connect_timeout", "gssencmode", "sslrootcert",
                    "tcp_user_timeout",
                ]
            ),
            (
                140_000,
                [
                    "application_name", "channel_binding", "connect_timeout", "gssencmode", "sslcrldir", "sslrootcert",
                    "target_session_attrs", "tcp_user_timeout",
                ]
            ),
            (
                169_999,
                [
                    "application_name", "channel_binding", "connect_timeout", "gssencmode", "require_auth", "sslcrldir",
                    "sslrootcert", "target_session_attrs", "tcp_user_timeout",
                ]
            ),
            (
                170_000,
                [
                    "application_name", "channel_binding", "connect_timeout", "gssencmode", "require_auth", "sslcrldir",
                    "sslnegotiation", "sslrootcert", "target_session_attrs", "tcp_user_timeout",
                ]
            ),
            (
                200_000,
                [
                    "application_name", "channel_binding", "connect_timeout", "gssencmode", "max_protocol_version",
                    "oauth_ca_file", "require_auth", "sslcrldir", "sslnegotiation", "sslrootcert",
                    "target_session_attrs", "tcp_user_timeout",
                ]
            ),
        ] as [(Int, [String])])
    func dropsUnknown(serverVersion: Int, kept: [String]) {
        let given = ConnectionSettings([
            "application_name": "s1", "channel_binding": "require", "connect_timeout": "5", "gssencmode": "disable",
            "max_protocol_version": "3.2", "oauth_ca_file": "/ca", "require_auth": "scram-sha-256",
            "sslcrldir": "/crl", "sslnegotiation": "direct", "sslrootcert": "/root.crt",
            "target_session_attrs": "read-write", "tcp_user_timeout": "9", "nonsense": "1",
        ])
        let info = PrimaryConnInfo(given, forServer: serverVersion)
        #expect(info.settings.settings.map(\.keyword) == kept)
        #expect(info.dropped == given.settings.map(\.keyword).filter { !kept.contains($0) })
    }

    @Test(
        "authtype and tty are gone from 14",
        arguments: [(90_300, true), (139_999, true), (140_000, false)])
    func gone(serverVersion: Int, known: Bool) {
        let info = PrimaryConnInfo(ConnectionSettings(["authtype": "x", "tty": "y"]), forServer: serverVersion)
        #expect(info.dropped.isEmpty == known)
    }

    @Test("the root certificates of the system are named from 16 only")
    func systemRoots() {
        let given = ConnectionSettings(["sslrootcert": "system"])
        #expect(PrimaryConnInfo(given, forServer: 150_000).dropped == ["sslrootcert"])
        #expect(PrimaryConnInfo(given, forServer: 160_000).conninfo == "sslrootcert=system")
    }

    @Test("the user's database is written from 17, and only that")
    func database() {
        let given = ConnectionSettings(["host": "a", "dbname": "replication"])
        #expect(PrimaryConnInfo(given, forServer: 170_000).conninfo == "host=a")
        #expect(PrimaryConnInfo(given, forServer: 170_000, dbname: "app").conninfo == "host=a dbname=app")
        #expect(PrimaryConnInfo(given, forServer: 160_000, dbname: "app").conninfo == "host=a")
        #expect(PrimaryConnInfo(given, forServer: 170_000, dbname: "").conninfo == "host=a")
    }

    @Test("a password file takes the place of the password; before 10 the environment must name it")
    func passfile() {
        let new = PrimaryConnInfo(Self.connection, forServer: 100_000, passfile: "/p f")
        #expect(new.conninfo == "user=r host=10.0.0.1 port=5432 passfile='/p f'")
        #expect(new.environmentPassfile == nil && new.dropped.isEmpty)

        let old = PrimaryConnInfo(Self.connection, forServer: 90_600, passfile: "/p f")
        #expect(old.conninfo == "user=r host=10.0.0.1 port=5432")
        #expect(old.environmentPassfile == "/p f" && old.dropped.isEmpty)
    }

    @Test("the user's own password file is kept where the password came from it")
    func ownPassfile() {
        let given = ConnectionSettings(["host": "a", "passfile": "/root/.pgpass"])
        let kept = PrimaryConnInfo(given, forServer: 150_000, password: "p w")
        #expect(kept.conninfo == "host=a passfile='/root/.pgpass'")
        for version in [90_600, 150_000] {
            let info = PrimaryConnInfo(given, forServer: version)
            #expect(info.conninfo == "host=a" && info.dropped.isEmpty)
        }
    }

    @Test("the password itself is kept where the standby cannot read it in that file")
    func unreadablePassfile() {
        let given = ConnectionSettings(["host": "a", "passfile": "/root/.pgpass"])
        let unreadable = PrimaryConnInfo(given, forServer: 150_000, password: "p w", readsPassfile: false)
        #expect(unreadable.conninfo == "host=a password='p w'" && unreadable.dropped.isEmpty)
        // Before 10 libpq has no such keyword.
        let old = PrimaryConnInfo(given, forServer: 90_624, password: "p w")
        #expect(old.conninfo == "host=a password='p w'" && old.dropped.isEmpty && old.environmentPassfile == nil)
        // A file of the standby's own comes first.
        let own = PrimaryConnInfo(given, forServer: 150_000, password: "p w", readsPassfile: false, passfile: "/o")
        #expect(own.conninfo == "host=a passfile='/o'")
    }
}

@Suite struct PassfileTests {
    @Test(
        "there is a line for each name by which libpq looks for a host",
        arguments: [
            (["host": "10.0.0.1", "port": "5433"], 150_000, ["10.0.0.1:5433:replication:r:pw\n"]),
            (["host": "h"], 150_000, ["h:5432:replication:r:pw\n"]),
            ([:], 150_000, ["localhost:5432:replication:r:pw\n"]),
            (
                ["host": "/var/run/postgresql"], 150_000,
                ["localhost:5432:replication:r:pw\n", "/var/run/postgresql:5432:replication:r:pw\n"]
            ),
            (["hostaddr": "::1"], 150_000, [#"\:\:1:5432:replication:r:pw"# + "\n"]),
            (["hostaddr": "10.0.0.1"], 90_600, ["localhost:5432:replication:r:pw\n"]),
            (["host": "h", "hostaddr": "10.0.0.1"], 150_000, ["h:5432:replication:r:pw\n"]),
            (
                ["host": "a,b,", "port": "1,,3"], 150_000,
                ["a:1:replication:r:pw\n", "b:5432:replication:r:pw\n", "localhost:3:replication:r:pw\n"]
            ),
            (["host": "a,b", "port": "7"], 150_000, ["a:7:replication:r:pw\n", "b:7:replication:r:pw\n"]),
            (["host": "a,a"], 150_000, ["a:5432:replication:r:pw\n"]),
        ] as [(KeyValuePairs<String, String>, Int, [String])])
    func lines(given: KeyValuePairs<String, String>, serverVersion: Int, lines: [String]) throws {
        var settings = ConnectionSettings(given)
        settings["user"] = "r"
        settings["password"] = "pw"
        #expect(try Passfile.lines(settings, forServer: serverVersion) == lines)
    }

    @Test("colons and backslashes are escaped in every field")
    func escapes() throws {
        let settings = ConnectionSettings(["host": "h", "user": #"a:b\c"#, "password": #"p:w\é"#])
        #expect(
            try Passfile.lines(settings, forServer: 150_000, databases: ["replication", "a:b"]) == [
                #"h:5432:replication:a\:b\\c:p\:w\\é"# + "\n", #"h:5432:a\:b:a\:b\\c:p\:w\\é"# + "\n",
            ])
    }

    @Test("without a password there are no lines, and any user is meant where none is known")
    func optional() throws {
        #expect(try Passfile.lines(ConnectionSettings(["host": "h"]), forServer: 150_000).isEmpty)
        #expect(try Passfile.lines(ConnectionSettings(["password": ""]), forServer: 150_000).isEmpty)
        let settings = ConnectionSettings(["host": "h", "password": "p"])
        #expect(try Passfile.lines(settings, forServer: 150_000) == ["h:5432:replication:*:p\n"])
    }

    @Test("a password with a line break is refused without being shown", arguments: ["a\nb", "a\rb", "a\r\nb"])
    func lineBreak(password: String) throws {
        let settings = ConnectionSettings(["host": "h", "password": password])
        let error = try #require(throws: Finding.self) { try Passfile.lines(settings, forServer: 150_000) }
        #expect(error.description.contains("line break") && !error.description.contains(password))
    }
}
