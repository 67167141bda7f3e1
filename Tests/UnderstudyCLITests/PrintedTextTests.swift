import Glibc
import Logging
import Testing
import Understudy
import UnderstudyCore
import UnderstudyPlatform

@testable import UnderstudyCLI
@testable import UnderstudyConnection

/// What a hostile server may put into any of its words, and how it has to look.
private struct Foreign: Sendable, CustomTestStringConvertible {
    var text: String
    /// As a message, whose further lines are indented.
    var message: String
    /// Where all stands on one line; nil for as in a message.
    var line: String?
    var json: String

    static let all = [
        Foreign(text: "a\u{1B}]0;x\u{7}b", message: #"a\x1b]0;x\x07b"#, json: #"a\u001b]0;x\u0007b"#),
        Foreign(text: "a\u{9B}2Jb", message: #"a\xc2\x9b2Jb"#, json: #"a\u009b2Jb"#),
        Foreign(text: "a\u{7F}\u{8}b\rc\u{0}", message: #"a\x7f\x08b\x0dc\x00"#, json: #"a\u007f\u0008b\rc\u0000"#),
        Foreign(
            text: "a\nunderstudy: base backup completed", message: "a\n    understudy: base backup completed",
            line: #"a\x0aunderstudy: base backup completed"#, json: #"a\nunderstudy: base backup completed"#),
        Foreign(
            text: "a\r\nunderstudy: b\u{85}understudy: c\u{2028}understudy: d",
            message: "a\\x0d\n    understudy: b\\xc2\\x85understudy: c\\xe2\\x80\\xa8understudy: d",
            line: #"a\x0d\x0aunderstudy: b\xc2\x85understudy: c\xe2\x80\xa8understudy: d"#,
            json: #"a\r\nunderstudy: b\u0085understudy: c\u2028understudy: d"#),
        Foreign(
            text: "a\u{202E}b\u{2066}c\u{E0041}", message: #"a\xe2\x80\xaeb\xe2\x81\xa6c\xf3\xa0\x81\x81"#,
            json: #"a\u202eb\u2066c\udb40\udc41"#),
        // As libpq's C strings become text here.
        Foreign(
            text: String(decoding: [0x61, 0xFF, 0xC2], as: UTF8.self), message: "a\u{FFFD}\u{FFFD}",
            json: "a\u{FFFD}\u{FFFD}"),
        Foreign(text: #"C:\x1b é 日本 👩‍👧"#, message: #"C:\x1b é 日本 👩‍👧"#, json: #"C:\\x1b é 日本 👩‍👧"#),
    ]

    var testDescription: String { json }
}

@Suite("What is printed of words that are not ours")
struct PrintedTextTests {
    @Test("messages, details and hints", arguments: Foreign.all)
    private func messages(_ foreign: Foreign) {
        let says: [(String, (Console) -> Void)] = [
            ("error: ", { $0.error(UnderstudyError(.server, foreign.text, detail: foreign.text, hint: foreign.text)) }),
            ("warning: ", { $0.warning(foreign.text, detail: foreign.text, hint: foreign.text) }),
            ("", { $0.notice(foreign.text, detail: foreign.text, hint: foreign.text) }),
            ("", { $0.info(foreign.text, detail: foreign.text, hint: foreign.text) }),
        ]
        for (name, say) in says {
            let recorder = Recorder()
            say(recorder.console(verbose: true))
            #expect(
                recorder.errors == """
                    pg_basebackup: \(name)\(foreign.message)
                    pg_basebackup: detail: \(foreign.message)
                    pg_basebackup: hint: \(foreign.message)

                    """)
        }
        let usage = Recorder()
        usage.console().error(UsageError(foreign.text, hint: foreign.text))
        #expect(
            usage.errors == "pg_basebackup: error: \(foreign.message)\npg_basebackup: hint: \(foreign.message)\n")
    }

    @Test("the log", arguments: Foreign.all)
    private func log(_ foreign: Foreign) {
        for (level, name) in [(Logger.Level.notice, ""), (.warning, "warning: "), (.error, "error: ")] {
            let recorder = Recorder()
            recorder.console().logger.log(
                level: level, "\(foreign.text)",
                metadata: ["detail": "\(foreign.text)", "hint": "\(foreign.text)", "other": "\(foreign.text)"])
            #expect(
                recorder.errors == """
                    pg_basebackup: \(name)\(foreign.message)
                    pg_basebackup: detail: \(foreign.message)
                    pg_basebackup: hint: \(foreign.message)

                    """)
        }
    }

    @Test("a server's notices, in its own words", arguments: Foreign.all)
    private func notices(_ foreign: Foreign) {
        let recorder = Recorder()
        recorder.console().logger.pass(
            on: ServerMessage(severity: "WARNING", message: foreign.text, detail: foreign.text, hint: foreign.text))
        // The lines of the message are further lines of what was said, and so are detail and hint.
        #expect(
            recorder.errors == """
                WARNING:  \(foreign.message)
                    DETAIL:  \(foreign.message)
                    HINT:  \(foreign.message)

                """)
    }

    @Test(
        "a severity is a word, and never the beginning of a message of ours",
        arguments: [
            ("WARNING", "WARNING"), ("ПРЕДУПРЕЖДЕНИЕ", "ПРЕДУПРЕЖДЕНИЕ"), ("ÖLÜMCÜL (FATAL)", "ÖLÜMCÜL (FATAL)"),
            ("警告", "警告"), ("understudy", "NOTICE"), ("\u{1B}[2J", "NOTICE"), ("", "NOTICE"),
            ("X\nunderstudy: base backup completed", "NOTICE"), (String(repeating: "X", count: 31), "NOTICE"),
        ])
    func severities(severity: String, shown: String) {
        let recorder = Recorder()
        recorder.console().logger.pass(on: ServerMessage(severity: severity, message: "m"))
        #expect(recorder.errors == "\(shown):  m\n")
    }

    @Test("lines of progress are one line", arguments: Foreign.all)
    private func progress(_ foreign: Foreign) {
        let recorder = Recorder()
        let console = recorder.console()
        let line = foreign.line ?? foreign.message, erase = "\r\u{1B}[K"
        console.progressLine(foreign.text)
        console.setStatus(foreign.text)
        console.notice("n")
        console.show(.line(foreign.text))
        #expect(recorder.errors == "\(line)\n\(erase)\(line)\(erase)pg_basebackup: n\n\(line)\(erase)\(line)\n")
    }

    @Test("the report of a clone", arguments: Foreign.all)
    private func report(_ foreign: Foreign) {
        let recorder = Recorder()
        let backup = BackupResult(
            startLSN: .invalid, endLSN: .invalid, timeline: 1, verifiedFiles: nil, bytes: 1, serverVersion: 180_000,
            systemIdentifier: "1")
        recorder.console().output(
            CloneReport.text(
                StandbyClone.Result(backup: backup, slot: foreign.text, startCommand: foreign.text),
                directory: foreign.text))
        #expect(
            recorder.output == """
                cloned 1 byte into "\(foreign.message)"
                replication slot "\(foreign.message)" taken over
                start the standby with:
                    \(foreign.message)

                """)
    }

    @Test("JSON, in keys and values", arguments: Foreign.all)
    private func json(_ foreign: Foreign) {
        #expect(
            JSONValue.object([(foreign.text, .string(foreign.text))]).text
                == "{\"\(foreign.json)\":\"\(foreign.json)\"}")
        let recorder = Recorder()
        recorder.consoleOfObjects().object(
            ProgressJSON.failed(UnderstudyError(.server, foreign.text, hint: foreign.text), last: nil))
        #expect(
            recorder.output.hasSuffix(
                "\"error\":{\"message\":\"\(foreign.json)\",\"detail\":null,\"hint\":\"\(foreign.json)\",\"sqlstate\":null}}\n"
            ))
    }

    @Test("names in failures of files, once")
    func files() {
        let recorder = Recorder()
        let path = "/srv/\u{1B}]0;x\u{7}\nunderstudy: done"
        recorder.console().error(UnderstudyError(FileIOError("could not open file", path, number: ENOENT)))
        #expect(
            recorder.errors == """
                pg_basebackup: error: could not open file "/srv/\\x1b]0;x\\x07
                    understudy: done": No such file or directory

                """)
    }

    @Test("our own texts are as they were written")
    func own() {
        let recorder = Recorder()
        recorder.console().output(Command.clone.helpText(as: .understudy))
        #expect(
            recorder.output
                == (Command.clone.helpText(as: .understudy).hasSuffix("\n")
                    ? Command.clone.helpText(as: .understudy) : Command.clone.helpText(as: .understudy) + "\n"))
    }
}
