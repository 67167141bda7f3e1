import Logging
import Testing
import Understudy
import UnderstudyPlatform

@testable import UnderstudyCLI

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
