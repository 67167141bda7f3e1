import Foundation
import Logging
import Testing
import Understudy
import UnderstudyCore
import UnderstudyPlatform

@testable import UnderstudyCLI

@Suite("The form of messages")
struct LogLinesTests {
    private static let time = UTCTime(1_795_508_100, nanoseconds: 42_999_999)

    private func said(_ lines: LogLines, _ body: (Console) -> Void) -> String {
        let recorder = Recorder()
        body(
            Console(program: "understudy", verbose: true, lines: lines, now: { Self.time }, write: recorder.write))
        return recorder.errors
    }

    @Test("a log for programs has an object in each line, with the facts of what happened")
    func objects() {
        let text = said(LogLines(.json)) { console in
            console.logger.info(
                "finished segment at 0/4000000 (timeline 1)",
                metadata: .event(
                    .segmentFinished,
                    [
                        "segment": "000000010000000000000003", "endLSN": .position(LSN("0/4000000")!),
                        "timeline": .number(TimelineID(rawValue: 1)),
                    ]))
            console.logger.notice(
                "disconnected; waiting 0.5 seconds to try again",
                metadata: .event(.waiting, ["seconds": .number(.milliseconds(500))]))
            console.logger.error("lost\nit", metadata: ["sqlstate": "57P01", "hint": "Wait.", "words": "own"])
            console.progressLine("streaming")
            console.error(UnderstudyError(.slot, "no slot", detail: "None."))
            console.error(UsageError(.init(message: "invalid option -- 'q'"), see: "x"))
        }
        let expected = [
            #""info","event":"segment-finished","message":"finished segment at 0/4000000 (timeline 1)","detail":null,"hint":null,"sqlstate":null,"endLSN":"0/4000000","segment":"000000010000000000000003","timeline":1}"#,
            #""notice","event":"waiting","message":"disconnected; waiting 0.5 seconds to try again","detail":null,"hint":null,"sqlstate":null,"seconds":0.5}"#,
            #""error","event":"message","message":"lost\nit","detail":null,"hint":"Wait.","sqlstate":"57P01"}"#,
            #""info","event":"progress","message":"streaming","detail":null,"hint":null,"sqlstate":null}"#,
            #""error","event":"failed","message":"no slot","detail":"None.","hint":null,"sqlstate":null,"code":"slot"}"#,
            #""error","event":"failed","message":"invalid option -- 'q'","detail":null,"hint":"Try \"x --help\" for more information.","sqlstate":null,"code":"options"}"#,
        ]
        let beginning = #"{"time":"2026-11-24T08:15:00.042Z","level":"#
        #expect(text.split(separator: "\n").map(String.init) == expected.map { beginning + $0 })
    }

    @Test("each line of text has the time where it goes into a file, and its level where it goes into a journal")
    func text() {
        func say(_ console: Console) {
            console.warning("careful\nhere", hint: "Do this.")
            console.progressLine("streaming")
        }
        let lines = ["understudy: warning: careful", "    here", "understudy: hint: Do this.", "streaming"]
        for (form, beginnings) in [
            (LogLines(), ["", "", "", ""]),
            (LogLines(.text, isTerminal: true, isJournal: false), ["", "", "", ""]),
            (
                LogLines(.text, isTerminal: false, isJournal: false),
                Array(repeating: "2026-11-24T08:15:00.042Z ", count: 4)
            ),
            (LogLines(.text, isTerminal: false, isJournal: true), ["<4>", "<4>", "<4>", "<6>"]),
        ] {
            #expect(said(form, say) == zip(beginnings, lines).map { "\($0)\($1)\n" }.joined())
        }
        #expect(
            said(LogLines(.json, isTerminal: false, isJournal: true)) { $0.failure("lost") }
                .hasPrefix(#"<3>{"time":"2026-11-24T08:15:00.042Z","level":"error","event":"message","#))
    }

    @Test("a command line that cannot be read is told in the form that it asks for")
    func usage() async {
        let recorder = Recorder()
        let program = Program(
            calledAs: "understudy", users: ClonePlanTests.user, environment: { _ in nil },
            write: { recorder.write($0, $1) }, errorsAreTerminal: false)
        #expect(await program.run(["receivewal", "--log-format=json", "--nope"]) == 1)
        #expect(recorder.errors.contains(#""level":"error","event":"failed","message":"unrecognized option '--nope'""#))
    }

    @Test("the guide lists every event")
    func guide() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/guide/service.md"), encoding: .utf8)
        for name in LoggedEvent.allCases.map(\.rawValue) + ProgramEvent.allCases.map(\.rawValue) {
            #expect(text.contains("\n| `\(name)` |"), "\(name)")
        }
    }
}
