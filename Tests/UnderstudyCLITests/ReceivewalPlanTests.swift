import Testing
import Understudy

@testable import UnderstudyCLI

@Suite("The command line of receivewal")
struct ReceivewalPlanTests {
    private func plan(_ line: String, as personality: Personality = .understudy) throws -> ReceivewalPlan {
        try plan(words: line.split(separator: " ").map(String.init), as: personality)
    }

    private func plan(words: [String], as personality: Personality = .understudy) throws -> ReceivewalPlan {
        guard case .run(let plan) = try ReceivewalPlan.read(words, as: personality) else {
            throw UsageError("nothing to run")
        }
        return plan
    }

    private func directory(
        _ path: String, _ compression: Compression = .none, sync: Bool = true
    ) -> ReceivewalPlan.Action {
        .receive(into: .init(path: path, compression: compression, sync: sync))
    }

    @Test("without options the defaults are the stock tool's")
    func defaults() throws {
        let plan = try plan("-D d", as: .receiveWAL)
        #expect(plan.action == directory("d"))
        #expect(plan.slot == .none)
        let options = plan.options
        #expect(options.startLSN == nil && options.endLSN == nil)
        #expect(!options.synchronous)
        #expect(options.statusInterval == .seconds(10))
        #expect(options.maxRate == nil && options.maxLag == nil && !options.recreatesSlot)
        #expect(options.stallTimeout == .seconds(300))
        #expect(options.reconnects)
        #expect(!options.retriesFirstConnection)
        #expect(plan.progress == .none && !plan.verbose)
        #expect(plan.connection.source.overrides == ["fallback_application_name": "pg_receivewal"])
        #expect(plan.connection.password == .onDemand)
    }

    @Test("the command line of Barman means what it says")
    func barman() throws {
        let plan = try plan(
            words: [
                "--dbname=host=pg user=barman replication=true", "--verbose", "--no-loop", "--no-password",
                "--directory=/srv/barman/pg/streaming", "--slot=barman", "--synchronous",
            ], as: .receiveWAL)
        #expect(plan.action == directory("/srv/barman/pg/streaming"))
        #expect(plan.slot == .existing("barman"))
        #expect(plan.options.synchronous && !plan.options.reconnects && plan.verbose)
        #expect(plan.connection.source.text == "host=pg user=barman replication=true")
        #expect(plan.connection.password == .never)
    }

    @Test(
        "two names for one thing are refused, but not through a link, where the last one counts",
        arguments: [
            ("directory", "-D d -D e"), ("on-segment", "-D d --on-segment x --on-segment y"),
            ("host", "-D d -h a -h b"), ("slot", "-D d -S a --slot b"),
            ("metrics-file", "-D d --metrics-file a --metrics-file b"),
        ])
    func twice(option: String, line: String) throws {
        let error = #expect(throws: UsageError.self) { try plan(line) }
        #expect(error?.message.hasPrefix("option --\(option) was given more than once: ") == true)
        let last = try plan(line, as: .receiveWAL)
        if option == "directory" { #expect(last.action == directory("e")) }
    }

    @Test("a setting may be given again, and so may the same name")
    func again() throws {
        #expect(try plan("-D d -D d -Z gzip -Z none -r 1M -r 2M").action == directory("d"))
    }

    @Test("each option arrives in the library's options")
    func everyOption() throws {
        let plan = try plan(
            """
            --dir=d -E 1/2A -n --no-sync -s 3 -S s1 -v -Zlz4:5 -d service=x -h h -p 5433 -U r -W --start-lsn=1/0 \
            --recreate-slot --max-lag 10GB -r 2M --stall-timeout=30s -P
            """)
        #expect(plan.action == directory("d", .lz4(level: 5), sync: false))
        #expect(plan.slot == .existing("s1"))
        let options = plan.options
        #expect(options.startLSN == LSN("1/0"))
        #expect(options.endLSN == LSN("1/2A"))
        #expect(!options.reconnects && !options.synchronous)
        #expect(options.statusInterval == .seconds(3))
        #expect(options.maxLag == 10 << 30)
        #expect(options.recreatesSlot)
        #expect(options.maxRate == .megabytesPerSecond(2))
        #expect(options.stallTimeout == .seconds(30))
        #expect(plan.progress == .auto && plan.verbose)
        #expect(plan.connection.source.text == "service=x")
        #expect(
            plan.connection.source.overrides == [
                "fallback_application_name": "understudy", "host": "h", "port": "5433", "user": "r",
            ])
        #expect(plan.connection.password == .always)
        #expect(try self.plan("-D d --synchronous").options.synchronous)
    }

    @Test("zero means never")
    func never() throws {
        let options = try plan("-D d -S s -s 0 --stall-timeout=0 --max-lag=0").options
        #expect(options.statusInterval == nil)
        #expect(options.stallTimeout == nil)
        #expect(options.maxLag == nil)
    }

    @Test(
        "a slot is made or dropped without a directory",
        arguments: [
            ("--create-slot -S s", ReceivewalPlan.Action.createSlot("s", ifNotExists: false)),
            ("--create-slot --slot=s --if-not-exists", .createSlot("s", ifNotExists: true)),
            ("--create -S s -n -D d", .createSlot("s", ifNotExists: false)),
            ("--drop-slot -S s", .dropSlot("s")),
            ("--drop -S s --if-not-exists", .dropSlot("s")),
        ])
    func slots(line: String, action: ReceivewalPlan.Action) throws {
        #expect(try plan(line).action == action)
    }

    static let seeHelp = "Try \"pg_receivewal --help\" for more information."

    @Test(
        "options that do not fit together are refused in the stock tool's words and order, with a pointer to the help",
        arguments: [
            ("", "no target directory specified"),
            ("--if-not-exists", "no target directory specified"),
            ("a", "too many command-line arguments (first is \"a\")"),
            ("-D d a b", "too many command-line arguments (first is \"a\")"),
            ("-Z foo --create-slot --drop-slot a", "too many command-line arguments (first is \"a\")"),
            ("--create-slot --drop-slot", "cannot use --create-slot together with --drop-slot"),
            ("-Z 10 --create-slot --drop-slot -S s", "cannot use --create-slot together with --drop-slot"),
            ("--create-slot", "--create-slot needs a slot to be specified using --slot"),
            ("--drop-slot -D d", "--drop-slot needs a slot to be specified using --slot"),
            ("--create-slot --synchronous --no-sync", "--create-slot needs a slot to be specified using --slot"),
            ("--synchronous --no-sync", "cannot use --synchronous together with --no-sync"),
            ("--drop-slot -S s --synchronous --no-sync", "cannot use --synchronous together with --no-sync"),
            ("-Z foo", "no target directory specified"),
            ("-D d --recreate-slot", "--recreate-slot needs a slot to be specified using --slot"),
            (
                "-S s --recreate-slot --create-slot", "cannot use --recreate-slot together with --create-slot"
            ),
            ("-S s --recreate-slot --drop-slot", "cannot use --recreate-slot together with --drop-slot"),
            ("-D d --max-lag=1GB", "--max-lag needs a slot to be specified using --slot"),
        ])
    func misuse(line: String, message: String) {
        #expect(throws: UsageError(message, hint: Self.seeHelp)) { try plan(line, as: .receiveWAL) }
    }

    @Test(
        "values that mean nothing are refused, in the stock tool's words where it has any",
        arguments: [
            ("-D d -E foo", "could not parse end position \"foo\""),
            ("-D d -E 0/1x", "could not parse end position \"0/1x\""),
            ("-E 1/2/3 a", "could not parse end position \"1/2/3\""),
            ("-D d --start-lsn=16", "could not parse start position \"16\""),
            ("-D d -s foo", "invalid value \"foo\" for option -s/--status-interval"),
            ("-D d -s -1", "-s/--status-interval must be in range 0..2147483"),
            ("-D d -s 99999999", "-s/--status-interval must be in range 0..2147483"),
            ("-D d --max-rate=5", "transfer rate \"5\" is out of range"),
            ("-D d --max-lag=5x", "invalid value \"5x\" for option --max-lag"),
            ("-D d --stall-timeout=5x", "invalid value \"5x\" for option --stall-timeout"),
            ("-D d -Z foo", "unrecognized compression algorithm: \"foo\""),
            ("--create-slot -S s -Z foo", "unrecognized compression algorithm: \"foo\""),
        ])
    func badValues(line: String, message: String) {
        let error = #expect(throws: UsageError.self) { try plan(line) }
        #expect(error?.message == message)
        #expect(error?.hint != UsageError.tryHelp("understudy receivewal"))
    }

    @Test("as a service it waits for its server, logs for programs, and runs a command")
    func service() throws {
        let plan = try plan(words: ["-D", "d", "--retry-first", "--log-format=json", "--on-segment=store %p"])
        #expect(plan.options.retriesFirstConnection)
        #expect(plan.service == .init(logFormat: .json, hook: try .parse("store %p")))
        #expect(try self.plan("-D d --log-format=json --progress=json").progress == .json)
        #expect(try self.plan("--create-slot -S s --log-format=json").service.logFormat == .json)
        #expect(try self.plan("-D d --log-format text -P").service == .init())
        // Through a link, too, but for the form of its messages.
        #expect(try self.plan("-D d --on-segment=x --retry-first", as: .receiveWAL).service.hook != nil)
        #expect(throws: UsageError.self) { try self.plan("-D d --log-format=json", as: .receiveWAL) }
    }

    @Test(
        "what means nothing beside other options is refused",
        arguments: [
            ("--create-slot -S s --on-segment=x", "cannot use --on-segment together with --create-slot"),
            ("--drop-slot -S s --retry-first", "cannot use --retry-first together with --drop-slot"),
            ("-D d -n --retry-first", "cannot use --retry-first together with --no-loop"),
            ("-D d -P --log-format=json", "cannot use lines of progress together with --log-format=json"),
            ("-D d --log-format=xml", "invalid value \"xml\" for option --log-format"),
            ("-D d --on-segment=%x", "invalid value \"%x\" for option --on-segment: %x has no meaning"),
        ])
    func serviceMisuse(line: String, message: String) {
        let error = #expect(throws: UsageError.self) { try plan(line) }
        #expect(error?.message == message)
    }

    @Test("empty values are values")
    func emptyValues() throws {
        let plan = try plan(words: ["-D", "", "--host=", "-Z", "", "-d", ""])
        #expect(plan.action == directory(""))
        #expect(plan.connection.source.overrides["host"] == "")
        #expect(throws: UsageError.self) { try self.plan(words: ["-D", "d", "-E", ""]) }
    }

    @Test(
        "an abbreviation that means something to the stock tool means the same here",
        arguments: ["--st=7", "--sta=7", "--status=7"])
    func abbreviations(option: String) throws {
        #expect(try plan("-D d \(option)").options.statusInterval == .seconds(7))
        #expect(try plan("-D d --star=1/0").options.startLSN == LSN("1/0"))
        #expect(try plan("-D d --prog").progress == .auto)
    }

    @Test(
        "getopt's complaints are the stock tool's",
        arguments: [
            ("--s", "option '--s' is ambiguous; possibilities: '--status-interval' '--slot' '--synchronous'"),
            ("--d", "option '--d' is ambiguous; possibilities: '--directory' '--dbname' '--drop-slot'"),
            ("-D", "option requires an argument -- 'D'"), ("-x", "invalid option -- 'x'"),
        ])
    func complaints(line: String, message: String) {
        #expect(throws: UsageError(.init(message: message), see: "pg_receivewal")) {
            try plan(line, as: .receiveWAL)
        }
    }

    @Test(
        "help and version win over everything else, whichever comes first",
        arguments: [
            (["--help"], "help"), (["-?"], "help"), (["-D", "d", "--help", "-V"], "help"), (["-V"], "version"),
            (["-vV?"], "version"), (["--vers"], "version"),
        ])
    func helpAndVersion(words: [String], expected: String) throws {
        switch try ReceivewalPlan.read(words, as: .understudy) {
        case .help: #expect(expected == "help")
        case .version: #expect(expected == "version")
        case .run: Issue.record("a run")
        }
    }
}
