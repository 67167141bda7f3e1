import Testing
import Understudy
import UnderstudyPlatform

@testable import UnderstudyCLI

/// The command lines of `check`, and what it prints.
@Suite struct CheckPlanTests {
    private func run(_ words: [String]) async -> (status: Int32, output: String, errors: String) {
        let recorder = Recorder()
        let program = Program(
            calledAs: "understudy", users: ClonePlanTests.user, environment: { _ in nil },
            write: { recorder.write($0, $1) }, errorsAreTerminal: false)
        let status = await program.run(["check"] + words)
        return (status, recorder.output, recorder.errors)
    }

    @Test(arguments: [
        ([], "no server specified"), (["--standby", "host=a", "--roundtrip"], "--roundtrip needs the primary"),
        (["--primary", "host=a", "x"], "too many command-line arguments (first is \"x\")"),
        (["--primary", "host=a", "--wait", "soon"], "invalid value \"soon\" for option --wait"),
        (["-d", "host=a", "--primary", "host=b"], "option --primary was given more than once"),
    ])
    func `what cannot be meant is refused`(words: [String], message: String) async {
        let result = await run(words)
        #expect(result.status == 1 && result.output == "")
        #expect(result.errors.hasPrefix("understudy: error: \(message)"), "\(result.errors)")
        #expect(result.errors.contains("\nunderstudy: hint: "))
        let object = await run(words + ["--json"])
        #expect(object.status == 1 && object.output.contains(#""type":"error","message":""#), "\(object)")
    }

    @Test func `options of a plan`() throws {
        let words = [
            "-d", "host=a", "--standby", "host=b", "--roundtrip", "--wait", "2min", "--strict", "--json", "-w",
        ]
        guard case .run(let plan) = try CheckPlan.read(words) else { return #expect(Bool(false)) }
        #expect(plan.primary?.source.text == "host=a" && plan.standby?.source.text == "host=b")
        #expect(plan.roundTrip && plan.isStrict && plan.writesJSON && plan.wait == .seconds(120))
        #expect(plan.connection.password == .never && plan.connection == plan.primary)
    }

    @Test func `the help shows each option once`() async {
        let read = Command.check.options.map(\.name)
        let shown = Command.check.help.sections.flatMap { $0.options.map(\.name) }
        #expect(read.sorted() == shown.sorted() && Set(read).count == read.count)
    }

    // MARK: - Texts

    private static let report = ReplicationCheck.Report(
        primary: .init(
            place: "\"10.0.0.1\", port 5432", version: 180_004, systemIdentifier: "77", timeline: 2, isInRecovery: false
        ),
        findings: [
            .init(.primary, "wal_level", found: "replica", wanted: "replica or logical"),
            .init(
                .primary, "slot", object: "a\u{1B}[1m", .warning, found: "inactive", wanted: "in use",
                message: "it holds\nWAL back", cure: "Clone with \(.updateExisting), or drop it.", bytes: 7),
            .init(.standby, "connection", .error, found: "failed", message: "refused"),
        ])

    @Test func `a line for each finding, whatever a server says`() {
        #expect(
            CheckText.text(Self.report, asTable: false) == """
                primary: ok: wal_level: replica
                primary: warning: slot a\\x1b[1m: inactive (wanted: in use); it holds WAL back; Clone with --delta, or drop it.
                standby: error: connection: failed; refused
                1 error, 1 warning
                """)
    }

    @Test func `a table with what to do beneath what is not well`() {
        #expect(
            CheckText.text(Self.report, asTable: true) == """
                primary "10.0.0.1", port 5432, version 18.4, system 77, timeline 2
                  ok       wal_level      replica
                  warning  slot a\\x1b[1m  inactive (wanted: in use)
                           it holds WAL back
                           Clone with --delta, or drop it.

                standby
                  error  connection  failed
                           refused

                1 error, 1 warning
                """)
        #expect(CheckText.text(ReplicationCheck.Report(), asTable: true) == "all is well")
    }

    @Test func `an object with everything`() {
        let text = CheckJSON.report(Self.report).text(at: UTCTime(0))
        #expect(
            text.contains(
                #""type":"result","level":"error","primary":{"place":"\"10.0.0.1\", port 5432","version":180004,"systemIdentifier":"77","timeline":2,"inRecovery":false},"standby":null,"#
            ))
        #expect(
            text.contains(
                #"{"server":"primary","name":"slot","object":"a\u001b[1m","level":"warning","found":"inactive","wanted":"in use","message":"it holds\nWAL back","cure":"Clone with --delta, or drop it.","bytes":7,"seconds":null}"#
            ), "\(text)")
    }
}
