import Logging
import Testing
import Understudy
import UnderstudyCore
import UnderstudyPlatform

@testable import UnderstudyCLI
@testable import UnderstudyConnection

/// Keeps what was written.
final class Recorder: Sendable {
    private let texts = Monitor<(output: String, errors: String)>(("", ""))

    var output: String { texts.read { $0.output } }
    var errors: String { texts.read { $0.errors } }

    @Sendable func write(_ stream: Console.Stream, _ text: String) {
        texts.change { texts in
            if stream == .output { texts.output += text } else { texts.errors += text }
        }
    }

    func console(verbose: Bool = false) -> Console {
        Console(program: "pg_basebackup", verbose: verbose, write: write)
    }

    /// A console that writes objects, too, all at the same time.
    func consoleOfObjects(verbose: Bool = false) -> Console {
        Console(
            program: "understudy", verbose: verbose, writesObjects: true, now: { UTCTime(1_795_508_100) }, write: write)
    }

    /// The objects that were written, without their time.
    var objects: [String] {
        output.split(separator: "\n").map { line in
            let time = #"{"time":"2026-11-24T08:15:00.000Z","#
            return line.hasPrefix(time) ? "{\(line.dropFirst(time.count))" : "\(line)"
        }
    }
}

@Suite("What the program says")
struct ConsoleTests {
    @Test("errors have PostgreSQL's form, with detail and hint on lines of their own")
    func errors() {
        let recorder = Recorder()
        recorder.console().error(
            UnderstudyError(.target, "directory \"d\" exists", detail: "It is not empty.", hint: "Name another one."))
        #expect(
            recorder.errors == """
                pg_basebackup: error: directory "d" exists
                pg_basebackup: detail: It is not empty.
                pg_basebackup: hint: Name another one.

                """)
        #expect(recorder.output == "")
    }

    @Test("getopt's complaints go out in getopt's form")
    func complaint() {
        let recorder = Recorder()
        recorder.console().error(UsageError(.init(message: "invalid option -- 'q'"), see: "pg_basebackup"))
        #expect(
            recorder.errors == """
                pg_basebackup: invalid option -- 'q'
                pg_basebackup: hint: Try "pg_basebackup --help" for more information.

                """)
    }

    @Test("the log's levels become messages, info with -v only", arguments: [false, true])
    func levels(verbose: Bool) {
        let recorder = Recorder()
        let logger = recorder.console(verbose: verbose).logger
        logger.debug("never")
        logger.info("write-ahead log start point: 0/2000028 on timeline 1")
        logger.notice("always")
        logger.warning("careful", metadata: ["hint": "Do this.", "detail": "That is.", "attempt": "1"])
        logger.warning("WARNING:  page verification failed\n", metadata: ["source": "server"])
        logger.notice("NOTICE:  all WAL is archived", metadata: ["source": "server"])
        let info = "pg_basebackup: write-ahead log start point: 0/2000028 on timeline 1\n"
        #expect(
            recorder.errors == (verbose ? info : "") + """
                pg_basebackup: always
                pg_basebackup: warning: careful
                pg_basebackup: detail: That is.
                pg_basebackup: hint: Do this.
                WARNING:  page verification failed
                NOTICE:  all WAL is archived

                """)
    }

    @Test("messages push the line of progress down, and it goes when the run is over")
    func status() {
        let recorder = Recorder()
        let console = recorder.console()
        console.setStatus(nil)
        console.setStatus("1%")
        console.notice("hello")
        console.setStatus("2%")
        console.output("result")
        console.setStatus(nil)
        console.setStatus(nil)
        let erase = "\r\u{1B}[K"
        #expect(
            recorder.errors
                == "\(erase)1%\(erase)pg_basebackup: hello\n1%\(erase)2%\(erase)2%\(erase)")
        #expect(recorder.output == "result\n")
    }

    // MARK: - Objects

    @Test("messages are objects among those of the progress, and on standard error as ever", arguments: [false, true])
    func objects(verbose: Bool) {
        let recorder = Recorder()
        let console = recorder.consoleOfObjects(verbose: verbose)
        console.warning("careful", detail: "That is.", hint: "Do this.")
        console.show(.object(JSONObject(kind: .progress, members: [("phase", .string("copying"))])))
        console.logger.info("begun")
        console.logger.notice("ended\nhere")
        console.logger.error("lost", metadata: ["sqlstate": "57P01"])
        console.logger.pass(
            on: ServerMessage(
                severity: "WARNING", sqlState: "01000", message: "bad page", detail: nil, hint: "Look."))
        console.error(UnderstudyError(.server, "no role", detail: "None.", sqlState: "28000"))
        console.error(UsageError("no such option", hint: "Leave it."))
        console.error(UsageError(.init(message: "invalid option -- 'q'"), see: "x"))
        #expect(
            recorder.objects == [
                #"{"type":"warning","message":"careful","detail":"That is.","hint":"Do this.","sqlstate":null}"#,
                #"{"type":"progress","phase":"copying"}"#,
            ] + (verbose ? [#"{"type":"info","message":"begun","detail":null,"hint":null,"sqlstate":null}"#] : []) + [
                #"{"type":"notice","message":"ended\nhere","detail":null,"hint":null,"sqlstate":null}"#,
                #"{"type":"error","message":"lost","detail":null,"hint":null,"sqlstate":"57P01"}"#,
                #"{"type":"warning","message":"bad page","detail":null,"hint":"Look.","sqlstate":"01000"}"#,
                #"{"type":"error","message":"no role","detail":"None.","hint":null,"sqlstate":"28000"}"#,
                #"{"type":"error","message":"no such option","detail":null,"hint":"Leave it.","sqlstate":null}"#,
                #"{"type":"error","message":"invalid option -- 'q'","detail":null,"#
                    + #""hint":"Try \"x --help\" for more information.","sqlstate":null}"#,
            ])
        #expect(
            recorder.errors == """
                understudy: warning: careful
                understudy: detail: That is.
                understudy: hint: Do this.
                \(verbose ? "understudy: begun\n" : "")understudy: ended
                    here
                understudy: error: lost
                WARNING:  bad page
                    HINT:  Look.
                understudy: error: no role
                understudy: detail: None.
                understudy: error: no such option
                understudy: hint: Leave it.
                understudy: invalid option -- 'q'
                understudy: hint: Try "x --help" for more information.

                """)
    }

    @Test("a result is the last object")
    func result() {
        let recorder = Recorder()
        let console = recorder.consoleOfObjects()
        console.object(JSONObject(kind: .result, members: []))
        console.object(JSONObject(kind: .result, members: []))
        console.notice("late")
        #expect(recorder.objects == [#"{"type":"result"}"#])
        #expect(recorder.errors == "understudy: late\n")
    }

    @Test("objects are for those that ask for them")
    func noObjects() {
        let recorder = Recorder()
        recorder.console().object(JSONObject(kind: .result, members: []))
        recorder.console().notice("hello")
        #expect(recorder.output == "")
    }

    @Test("the last line of progress stays")
    func lastLine() {
        let recorder = Recorder()
        let reporter = ProgressReporter(
            ProgressWriter(style: .terminal, suggestsFastCheckpoint: false), console: recorder.console(),
            columns: { 80 })
        reporter.report(BackupProgress(phase: .connecting))
        reporter.report(BackupProgress(phase: .done, bytesDone: 2048, elapsed: .seconds(2)))
        #expect(reporter.end()?.phase == .done)
        #expect(recorder.errors == "\r\u{1B}[Kconnecting\r\u{1B}[K2.0 kB  done in 0:02\n")
    }
}
