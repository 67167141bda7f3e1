import Glibc
import Testing
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyCore
@testable import UnderstudyStandby

@Suite("postmaster.pid")
struct PostmasterFileTests {
    static let of93 = """
        4711
        /srv/data
        1700000000
        5433
        /run/postgresql
        localhost
          5433001    163840

        """
    static let of15 = """
        4711
        /srv/data
        1700000000
        5433
        /run/postgresql
        127.0.0.1
          5433001    163840
        standby \u{20}

        """

    @Test("of a version without a status has none")
    func old() throws {
        let file = try #require(PostmasterFile(Self.of93))
        #expect(file.processID == 4711)
        #expect(file.port == 5433)
        #expect(file.socketDirectory == "/run/postgresql")
        #expect(file.listenAddress == "localhost")
        #expect(file.status == nil)
    }

    @Test("of a newer version tells how far the server is", arguments: ["starting", "ready", "standby", "stopping"])
    func status(_ word: String) throws {
        // The server pads the word, so that a longer one has room.
        let padded = word + String(repeating: " ", count: 8 - word.count)
        let file = try #require(PostmasterFile(Self.of15.replacing("standby  ", with: padded)))
        #expect(file.status == word)
        #expect(file.listenAddress == "127.0.0.1")
    }

    @Test("has lines, whatever stands before their ends")
    func lineEnds() throws {
        let file = try #require(PostmasterFile("1\n/d\r\n2\n5432\n/run\r\n\u{301}\n"))
        #expect(file.socketDirectory == "/run\r")
        #expect(file.listenAddress == "\u{301}")
    }

    @Test(
        "leads to no address but this machine's own",
        arguments: [
            ("*", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("::", "::1"), ("::1", "::1"),
            ("localhost", "127.0.0.1"), ("10.0.0.1", nil), ("example.org", nil), ("", nil), ("127.0.0.1 x", nil),
        ] as [(String, String?)])
    func loopback(_ address: String, _ loopback: String?) throws {
        let file = try #require(PostmasterFile("1\n/d\n2\n5432\n/run\n\(address)\n"))
        #expect(file.loopback == loopback)
        #expect(file.socketDirectory == "/run")
    }

    @Test("that is cut short anywhere is not read, or tells the same process, port and socket")
    func truncated() {
        for text in [Self.of93, Self.of15] {
            for length in 0..<text.utf8.count {
                guard let file = PostmasterFile(String(decoding: Array(text.utf8.prefix(length)), as: UTF8.self)) else {
                    continue
                }
                #expect(file.processID == 4711 && file.port == 5433 && file.socketDirectory == "/run/postgresql")
            }
        }
    }

    @Test(
        "of something else is not read",
        arguments: [
            "", "\n", "-4711\n/d\n1\n5432\n/run\n*\n", "0\n/d\n1\n5432\n/run\n*\n", "x\n/d\n1\n5432\n/run\n*\n",
            "1\n/d\n1\nport\n/run\n*\n", "99999999999\n/d\n1\n5432\n/run\n*\n",
        ])
    func malformed(_ text: String) {
        #expect(PostmasterFile(text) == nil)
    }
}

@Suite("The programs of a server")
struct ServerProgramsTests {
    @Test(
        "tell their major version",
        arguments: [
            ("pg_ctl (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", "15"), ("pg_ctl (PostgreSQL) 9.6.24\n", "9.6"),
            ("pg_ctl (PostgreSQL) 9.3.25", "9.3"), ("pg_ctl (PostgreSQL) 19beta1\n", "19"),
            ("pg_ctl (PostgreSQL) 18.4\n", "18"), ("pg_ctl (PostgreSQL) 17devel", "17"),
            ("pg_ctl (EnterpriseDB) 16.2.0\n", "16"), ("", nil), ("pg_ctl", nil), ("pg_ctl (PostgreSQL)\n", nil),
            ("sh: 1: pg_ctl: not found\n", nil),
        ] as [(String, String?)])
    func majorVersion(_ line: String, _ major: String?) {
        #expect(ServerPrograms.majorVersion(inVersionLine: line) == major)
    }

    /// A directory with a pg_ctl that says this of its version.
    private func programs(saying line: String, in name: String = "programs") throws -> String {
        let directory = "\(try TestDirectory.make("bin", mode: 0o755))/\(name)"
        try TestDirectory.make(at: directory, mode: 0o755)
        // Another process writes it: a child that this one forks meanwhile for another test would hold a file that
        // is open for writing, and so could not be run.
        try Program.check(
            "/bin/sh", ["-c", #"cat > "$0" && chmod 755 "$0""#, "\(directory)/pg_ctl"],
            input: "#!/bin/sh\necho '\(line)'\n")
        return directory
    }

    @Test("are those of the directory that is given, whatever its name", arguments: ["bin", "it's mine", "$HOME;x"])
    func given(_ name: String) throws {
        let directory = try programs(saying: "pg_ctl (PostgreSQL) 9.6.24", in: name)
        let programs = try ServerPrograms(ServerVersion(number: 90601), given: directory)
        #expect(programs.pgCtl == "\(directory)/pg_ctl")
        #expect(programs.psql == "\(directory)/psql")
    }

    @Test("of another major version are refused")
    func otherVersion() throws {
        let directory = try programs(saying: "pg_ctl (PostgreSQL) 15.18")
        let error = #expect(throws: UnderstudyError.self) {
            try ServerPrograms(ServerVersion(number: 160_002), given: directory)
        }
        #expect(error?.code == .start)
        #expect(error?.message == "\"\(directory)\" has the programs of version 15, the primary is 16.2")
        #expect(error?.remedy?.steps == [.binDirectory])
    }

    @Test("that are not in the directory that is given are missed there alone")
    func absent() throws {
        let directory = try TestDirectory.make("bin")
        let error = #expect(throws: UnderstudyError.self) {
            try ServerPrograms(ServerVersion(number: 160_002), given: directory)
        }
        #expect(error?.message == "could not find pg_ctl of version 16")
        #expect(error?.detail == "Looked in \"\(directory)\".")
    }

    @Test("are looked for in each directory of PATH once, and in none that is relative")
    func path() {
        let path = "/usr/bin:/bin::/usr/lib/postgresql/16/bin/:bin:.:/usr/bin/:/sbin:/bin:/"
        let places = ServerPrograms.places("16", path: path)
        #expect(places.first == "/usr/lib/postgresql/16/bin")
        #expect(places.suffix(4) == ["/usr/bin", "/bin", "/sbin", "/"])
        #expect(Set(places).count == places.count)
        #expect(ServerPrograms.places("16", path: nil) == Array(places.dropLast(4)))
    }
}

@Suite("The command that starts a standby")
struct StartCommandTests {
    @Test(
        "has its words quoted for a shell where they need it",
        arguments: [
            ("plain", "plain"), ("/usr/lib/postgresql/15/bin/pg_ctl", "/usr/lib/postgresql/15/bin/pg_ctl"), ("", "''"),
            ("a b", "'a b'"), ("it's", #"'it'\''s'"#), ("$HOME", "'$HOME'"), ("a\nb", "'a\nb'"), ("é", "'é'"),
            ("'", #"''\'''"#), ("a;b", "'a;b'"), ("~x", "'~x'"), ("*", "'*'"),
        ])
    func quoted(_ word: String, _ quoted: String) {
        #expect(ShellText.word(word) == quoted)
    }

    private func command(
        _ directory: String, configFile: String? = nil, owner: BaseBackup.Owner? = nil, passfile: String? = nil
    ) -> String {
        StandbyServer(
            programs: ServerPrograms(unchecked: nil), directory: directory, configFile: configFile, owner: owner,
            passfile: passfile, log: "/l"
        ).startCommand
    }

    @Test("names the directory and the log")
    func plain() {
        #expect(
            command("/srv/data") == "pg_ctl -D /srv/data -l /l -o '-c data_directory=/srv/data' start")
        #expect(
            command("/srv/it's mine")
                == #"pg_ctl -D '/srv/it'\''s mine' -l /l -o '-c data_directory='\''/srv/it'\''\'\'''\''s mine'\''' start"#
        )
    }

    @Test("names a configuration elsewhere, and that this directory wins over the one in it")
    func configuration() {
        #expect(
            command("/srv/data", configFile: "/etc/postgresql/15/main/postgresql.conf")
                == "pg_ctl -D /srv/data -l /l -o '-c config_file=/etc/postgresql/15/main/postgresql.conf -c data_directory=/srv/data' start"
        )
    }

    @Test("names the password file that the server finds through its environment")
    func passfile() {
        #expect(
            command("/d", passfile: "/my pass")
                == "env 'PGPASSFILE=/my pass' pg_ctl -D /d -l /l -o '-c data_directory=/d' start")
    }

    @Test("is run as the owner of the files, who may have no name")
    func owner() {
        if geteuid() == 0 {
            #expect(
                command("/d", owner: .init(user: 4_000_000_000, group: 70))
                    == "setpriv --reuid=4000000000 --regid=70 --clear-groups -- pg_ctl -D /d -l /l -o '-c data_directory=/d' start"
            )
        }
        // Every system has a user 0, and its name is root.
        #expect(
            command("/d", owner: .init(user: 0, group: 0), passfile: "/p")
                == "runuser -u root -- env PGPASSFILE=/p pg_ctl -D /d -l /l -o '-c data_directory=/d' start")
    }
}

@Suite("The title of a WAL receiver")
struct ReceiverTitleTests {
    @Test(
        "tells how far it is, if it streams",
        arguments: [
            ("postgres: walreceiver streaming 0/3000148", "0/3000148"),
            ("postgres: standby: walreceiver streaming 16/B374D848", "16/B374D848"),
            ("postgres: 15/main: walreceiver streaming 0/3000148 ", "0/3000148"),
            ("postgres: wal receiver process   streaming 0/3000148", "0/3000148"),
            ("postgres: walreceiver streaming 0/03000148", "0/3000148"),
            ("postgres: walreceiver", nil), ("postgres: walreceiver streaming", nil),
            ("postgres: walreceiver waiting", nil), ("postgres: walsender r 10.0.0.1(1) streaming 0/3000148", nil),
            ("postgres: startup recovering 000000010000000000000003", nil), ("", nil),
            ("postgres: walreceiver streaming x", nil),
        ] as [(String, String?)])
    func position(_ title: String, _ position: String?) {
        #expect(StandbyWatch.position(inTitle: title) == position.flatMap { LSN($0) })
    }
}

@Suite("The environment of a server that is started")
struct ServerEnvironmentTests {
    private static let ours = [
        "PATH": "/bin", "LANG": "de_DE.UTF-8", "LC_MESSAGES": "C", "TZ": "UTC", "HOME": "/caller",
        "USER": "caller", "LOGNAME": "caller", "SHELL": "/bin/zsh", "PGPASSWORD": "secret", "PGHOST": "primary",
        "PGPASSFILE": "/ours",
        "PGSERVICE": "s", "AWS_SECRET_ACCESS_KEY": "secret", "LD_LIBRARY_PATH": "/lib", "PGOPTIONS": "-c x=y",
    ]

    private func variables(_ owner: BaseBackup.Owner? = nil, passfile: String? = nil) -> [String: String] {
        ServerEnvironment(owner: owner, passfile: passfile, caller: { Self.ours[$0] }).variables
    }

    private static let passed = ["PATH", "LANG", "LC_MESSAGES", "TZ"]

    @Test("has where programs lie, language and time zone of ours, and nothing else")
    func own() throws {
        // As after sudo without -H, this process runs as one user and has the variables of another.
        let account = try #require(Account(user: geteuid()))
        var expected = Self.ours.filter { Self.passed.contains($0.key) }
        expected["HOME"] = account.home
        expected["SHELL"] = account.shell
        expected["USER"] = account.name
        expected["LOGNAME"] = account.name
        #expect(variables() == expected)
    }

    @Test("has of a user without an account our HOME alone, and that only if it is our user")
    func noAccount() {
        func names(_ user: UInt32) -> [String] {
            let owner = BaseBackup.Owner(user: user, group: 1)
            let environment = ServerEnvironment(owner: owner, caller: { Self.ours[$0] }, account: { _ in nil })
            return environment.variables.keys.filter { !Self.passed.contains($0) }
        }
        #expect(names(geteuid()) == ["HOME"])
        #expect(names(geteuid() + 1) == [])
    }

    @Test("is that of another user, if it runs as one")
    func another() {
        // Every Debian has the user nobody with this number.
        let variables = variables(.init(user: 65534, group: 65534))
        #expect(variables["USER"] == "nobody" && variables["LOGNAME"] == "nobody")
        #expect(variables["HOME"] == "/nonexistent" && variables["SHELL"] == "/usr/sbin/nologin")
        #expect(variables["PATH"] == "/bin" && variables["PGPASSWORD"] == nil)
    }

    @Test("names the password file that the server is to use, not ours")
    func passfile() {
        #expect(variables(passfile: "/standby")["PGPASSFILE"] == "/standby")
    }

    @Test("has a path where we have none")
    func path() {
        let environment = ServerEnvironment(caller: { _ in nil }, account: { _ in nil })
        #expect(environment.variables == ["PATH": "/usr/local/bin:/usr/bin:/bin"])
    }
}
