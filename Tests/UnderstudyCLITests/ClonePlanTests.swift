import Testing
import Understudy
import UnderstudyPlatform

@testable import UnderstudyCLI
@testable import UnderstudyStandby

@Suite("The command line of clone")
struct ClonePlanTests {
    static let postgres = BaseBackup.Owner(user: 26, group: 27)
    static let find: @Sendable (String) -> BaseBackup.Owner? = { name in
        ["postgres": postgres, "root": .init(user: 0, group: 0)][name]
    }
    static let user = Users(effective: 1000, find: find)
    static let root = Users(effective: 0, find: find)

    private func plan(_ line: String, users: Users = user) throws -> ClonePlan {
        let words = line.split(separator: " ").map { String($0).replacing("_", with: " ") }
        guard case .run(let plan) = try ClonePlan.read(words, users: users) else { throw UsageError("not a clone") }
        return plan
    }

    @Test("without options it is a copy with a spread checkpoint that is not started")
    func defaults() throws {
        let plan = try plan("--primary host=h_user=r -D d --no-slot")
        #expect(plan.connection.source.text == "host=h user=r")
        #expect(plan.connection.source.overrides == ["fallback_application_name": "understudy"])
        #expect(plan.directory == "d")
        #expect(plan.progress == .auto)
        #expect(plan.options.slot == .none)
        #expect(plan.options.start == nil)
        #expect(plan.options.passfile == nil && plan.options.port == nil && plan.options.configFile == nil)
        #expect(!plan.options.generateConfig)
        #expect(!plan.options.backup.leavesHoles)
        #expect(plan.options.backup.checkpoint == .spread)
        #expect(plan.options.backup.label == "understudy clone")
        #expect(plan.options.backup.owner == nil)
        #expect(plan.warnings == [])
    }

    @Test("each option arrives in the library's options")
    func everyOption() throws {
        let plan = try plan(
            """
            -h h -p 5433 -U r -w --pgdata=d -T /a=/b --waldir /w --owner postgres --sparse --slot=s1 --passfile pf --standby-port 5434 \
            --config-file c --restore-command=cp --set a=b=c --set d= --log l --start --bin-dir b --wait 2min -cfast -r 1M -l label -vnN --no-verify-checksums \
            --progress=json
            """, users: Self.root)
        let options = plan.options
        #expect(plan.connection.source.text == "")
        #expect(
            plan.connection.source.overrides == [
                "fallback_application_name": "understudy", "host": "h", "port": "5433", "user": "r",
            ])
        #expect(plan.connection.password == .never)
        #expect(options.backup.tablespaceMappings == [.init(from: "/a", to: "/b")])
        #expect(options.backup.walDirectory == "/w")
        #expect(options.backup.owner == Self.postgres)
        #expect(options.backup.leavesHoles)
        #expect(options.slot == .createIfMissing("s1"))
        #expect(options.passfile == "pf")
        #expect(options.port == 5434)
        #expect(options.restoreCommand == "cp")
        #expect(options.settings == [.init("a", "b=c"), .init("d", "")])
        #expect(options.log == "l")
        #expect(options.configFile == "c")
        #expect(options.binDirectory == "b")
        #expect(options.start?.wait == .seconds(120))
        #expect(options.backup.checkpoint == .fast)
        #expect(options.backup.maxRate == .kilobytesPerSecond(1024))
        #expect(options.backup.label == "label")
        #expect(!options.backup.cleanUp && !options.backup.sync && !options.backup.verifyServerChecksums)
        #expect(plan.verbose)
        #expect(plan.progress == .json)
        #expect(plan.warnings == [])
        #expect(try self.plan("-d x -D d --generate-config").options.generateConfig)
        #expect(try self.plan("-d x -D d --start").options.start?.wait == .seconds(60))
    }

    @Test("a clone without a slot, and one as root without an owner, is warned about")
    func warnings() throws {
        #expect(
            try plan("-d x -D d").warnings.map(\.message) == [
                "without a replication slot the primary may remove WAL that the standby still needs"
            ])
        #expect(
            try plan("-d x -D d --slot s", users: Self.root).warnings.map(\.message) == [
                "the files will belong to root, and a server does not run as root"
            ])
    }

    @Test(
        "a primary is named by an option or a variable, as with every client",
        arguments: ["PGHOST", "PGSERVICE", "PGPORT"])
    func fromEnvironment(_ name: String) throws {
        let words = ["-D", "d", "-U", "r"]
        #expect(throws: UsageError.self) { try ClonePlan.read(words, users: Self.user) }
        #expect(throws: UsageError.self) {
            try ClonePlan.read(words, users: Self.user) { $0 == name ? "" : nil }
        }
        for environment in [{ $0 == name ? "x" : nil }] as [@Sendable (String) -> String?] {
            guard case .run(let plan) = try ClonePlan.read(words, users: Self.user, environment: environment) else {
                throw UsageError("not a clone")
            }
            #expect(plan.directory == "d")
        }
        #expect(try plan("-D d -p 5433").directory == "d")
    }

    @Test(
        "what cannot be meant is refused",
        arguments: [
            ("", "no primary specified"),
            ("-D d -U r", "no primary specified"),
            ("-d x", "no target directory specified"),
            ("-d x -D d more", "too many command-line arguments (first is \"more\")"),
            ("-d x -D d --slot s --no-slot", "--no-slot cannot be used with slot name"),
            ("-d x -D d --waldir w", "WAL directory location must be an absolute path"),
            (
                "-d x -D d --config-file c --generate-config",
                "--config-file and --generate-config are incompatible options"
            ),
            ("-d x -D d --wait 60", "--wait needs --start"),
            ("-d x -D d --standby-port 0", "--standby-port must be in range 1..65535"),
            ("-d x -D d --standby-port x", "invalid value \"x\" for option --standby-port"),
            ("-d x -D d --set port", "invalid setting \"port\""),
            ("-d x -D d --start --wait never", "invalid value \"never\" for option --wait"),
            ("-d x -D d --progress=bar", "invalid value \"bar\" for option --progress"),
            ("-d x -D d --owner nobody", "user \"nobody\" does not exist"),
            ("-d x -D d --owner postgres", "only root can make files that belong to \"postgres\""),
            ("-d x -D d --primary-p", "option '--primary-port' requires an argument"),
            (
                "-d x -D d --primary-",
                "option '--primary-' is ambiguous; possibilities: "
                    + "'--primary-host' '--primary-port' '--primary-user'"
            ),
        ])
    func refused(line: String, message: String) {
        let error = #expect(throws: UsageError.self) { try plan(line) }
        #expect(error?.message == message)
        #expect(error?.hint != nil || message.contains("--standby-port"))
    }

    @Test(
        "the primary's options have their names of every other client, too",
        arguments: [
            ["--host=h", "--port=5433", "--username=r", "--dbname=x"],
            ["-h", "h", "-p", "1", "--port", "5433", "-U", "r", "-d", "x"],
            ["--primary-host=h", "--port=1", "--primary-port=5433", "--primary-user=r", "--primary=x"],
        ])
    func names(_ words: [String]) throws {
        let plan = try plan((words + ["-D", "d"]).joined(separator: " "))
        #expect(plan.connection.source.text == "x")
        #expect(
            plan.connection.source.overrides == [
                "fallback_application_name": "understudy", "host": "h", "port": "5433", "user": "r",
            ])
        #expect(plan.options.port == nil)
    }

    @Test(
        "--port with --start says whose port that is",
        arguments: [
            ("--port 5433 --start", 1), ("--port 5433", 0), ("-p 5433 --start", 0),
            ("--port 5433 --start --standby-port 5434", 0),
        ])
    func portOfThePrimary(options: String, count: Int) throws {
        let warnings = try plan("-d x -D d --slot s \(options)").warnings
        #expect(warnings.filter { $0.message.hasPrefix("--port=5433 is the primary's port") }.count == count)
    }

    @Test("a server is not started as root", arguments: ["--start", "--start --owner root"])
    func startAsRoot(options: String) {
        #expect(
            throws: UsageError(
                "a server cannot be started as root",
                hint: "Name the user that runs the server, for example --owner postgres.")
        ) { try plan("-d x -D d \(options)", users: Self.root) }
    }

    @Test("the system's users are found by name and number")
    func systemUsers() {
        #expect(Users.system.find("root") == .init(user: 0, group: 0))
        #expect(Users.system.find("no such user") == nil)
        // A user of this system has its own group, any other number that of the same number.
        #expect(Users.system.find("0") == .init(user: 0, group: 0))
        #expect(Users.system.find("65534") == .init(user: 65534, group: 65534))
        #expect(Users.system.find("4000000000") == .init(user: 4_000_000_000, group: 4_000_000_000))
        #expect(Users.system.find("999:70") == .init(user: 999, group: 70))
        for text in ["4294967295", "1:4294967295", "-1", "1:", ":1", "1:2:3", "1.5", "", "4294967296"] {
            #expect(Users.system.find(text) == nil, "\(text)")
        }
    }

    @Test("the report says what there is, and how to start it")
    func report() {
        let backup = BackupResult(
            startLSN: LSN("0/2000028")!, endLSN: LSN("0/2000100")!, timeline: TimelineID(rawValue: 1),
            verifiedFiles: 971,
            bytes: 31_457_280, serverVersion: 150018, systemIdentifier: "7")
        var result = StandbyClone.Result(
            backup: backup, slot: "s1", slotWasMade: true, startCommand: "pg_ctl -D d start", standby: nil)
        #expect(
            CloneReport.text(result, directory: "d") == """
                cloned 30.0 MB into "d", 971 files verified
                replication slot "s1" created
                start the standby with:
                    pg_ctl -D d start
                """)
        result.slotWasMade = false
        result.standby = StandbyState(processID: 4711, port: 5434, socketDirectory: nil, lagBytes: 0)
        #expect(
            CloneReport.text(result, directory: "d") == """
                cloned 30.0 MB into "d", 971 files verified
                replication slot "s1" taken over
                standby is streaming on port 5434 (PID 4711), 0 bytes behind the primary
                """)
        let json = ProgressJSON.done(result, last: BackupProgress(phase: .starting, elapsed: .seconds(2)))
            .text(at: UTCTime(0))
        #expect(json.hasPrefix(#"{"time":"1970-01-01T00:00:00.000Z","type":"result","phase":"done","#))
        #expect(
            json.hasSuffix(
                #""startLSN":"0/2000028","endLSN":"0/2000100","timeline":1,"verifiedFiles":971,"keptBytes":0,"#
                    + #""slot":"s1","#
                    + #""startCommand":"pg_ctl -D d start","standby":{"processID":4711,"port":5434,"#
                    + #""socketDirectory":null,"lagBytes":0}}"#))
    }
}
