import Foundation
import Testing
import Understudy
import UnderstudyTestSupport

@testable import UnderstudyCLI

@Suite("The program")
struct ProgramTests {
    private func run(_ line: String...) async -> (status: Int32, output: String, errors: String) {
        await run(line)
    }

    private func program(_ environment: [String: String] = [:], isTerminal: Bool) -> UnderstudyCLI.Program {
        UnderstudyCLI.Program(
            calledAs: "understudy", users: ClonePlanTests.user, environment: { environment[$0] }, write: { _, _ in },
            errorsAreTerminal: isTerminal)
    }

    private func run(
        _ line: [String], environment: [String: String] = [:], isTerminal: Bool = false
    ) async -> (status: Int32, output: String, errors: String) {
        let recorder = Recorder()
        let program = Program(
            calledAs: line[0], users: ClonePlanTests.user, environment: { environment[$0] },
            write: { recorder.write($0, $1) }, errorsAreTerminal: isTerminal)
        let status = await program.run(Array(line.dropFirst()))
        return (status, recorder.output, recorder.errors)
    }

    @Test("versions are on standard output, in the form that callers read")
    func versions() async {
        for (line, name) in [
            (["/usr/bin/pg_basebackup", "--version"], "pg_basebackup"),
            (["understudy", "basebackup", "-V"], "understudy-basebackup"),
            (["/usr/bin/pg_receivewal", "-V"], "pg_receivewal"),
            (["pg_receivexlog", "--version"], "pg_receivexlog"),
            (["understudy", "receivewal", "--version"], "understudy-receivewal"),
        ] {
            #expect(await run(line) == (0, "\(name) (PostgreSQL) 18.99 (Understudy 0.1.0)\n", ""))
        }
        for words in [["--version"], ["-V"], ["clone", "-V"]] {
            #expect(await run(["understudy"] + words) == (0, "understudy 0.1.0 (for PostgreSQL 9.3 to 19)\n", ""))
        }
    }

    @Test("the version is that of the environment, of the link's name, or of its folder")
    func chosenVersions() async {
        let chosen = [StockVersion.variable: "16.4"]
        for (path, environment, version) in [
            ("/usr/lib/postgresql/15/bin/pg_basebackup-14", chosen, "16.4"),
            ("/usr/lib/postgresql/15/bin/pg_basebackup-14", [:], "14.99"),
            ("/usr/lib/postgresql/15/bin/pg_basebackup", [:], "15.99"),
            ("/usr/lib/postgresql/15/bin/pg_basebackup", [StockVersion.variable: ""], "15.99"),
            ("/usr/lib/postgresql/9.6/bin/pg_basebackup-9.5.25", [:], "9.5.25"),
        ] {
            #expect(
                await self.run([path, "-V"], environment: environment)
                    == (0, "pg_basebackup (PostgreSQL) \(version) (Understudy 0.1.0)\n", ""))
        }
        #expect(
            await run(["pg_receivewal", "-V"], environment: [StockVersion.variable: "new"]) == (
                1, "",
                """
                pg_receivewal: error: invalid value "new" of the environment variable UNDERSTUDY_PG_VERSION
                pg_receivewal: hint: Set it to a version of PostgreSQL, such as 15.18, or unset it.

                """
            ))
    }

    @Test("help is on standard output")
    func help() async {
        #expect(await run("understudy", "--help") == (0, UnderstudyHelp.text, ""))
        #expect(await run("understudy", "help") == (0, UnderstudyHelp.text, ""))
        #expect(await run("understudy", "help", "archive", "list").output.hasPrefix("understudy archive list says"))
        #expect(await run("understudy", "help", "clone") == (0, Command.clone.helpText(as: .understudy), ""))
        #expect(await run("understudy", "clone", "--help") == (0, Command.clone.helpText(as: .understudy), ""))
        #expect(await run("understudy", "basebackup", "-?") == (0, Command.basebackup.helpText(as: .understudy), ""))
        #expect(await run("pg_basebackup", "-?") == (0, Command.basebackup.helpText(as: .baseBackup), ""))
        #expect(await run("understudy", "help", "receivewal") == (0, Command.receivewal.helpText(as: .understudy), ""))
        #expect(await run("understudy", "receivewal", "-?") == (0, Command.receivewal.helpText(as: .understudy), ""))
        #expect(await run("pg_receivewal", "--help") == (0, Command.receivewal.helpText(as: .receiveWAL), ""))
        #expect(Command.receivewal.helpText(as: .receiveXLOG).hasPrefix("pg_receivexlog receives the WAL"))
        for word in ["clone", "basebackup", "receivewal", "pg_basebackup", "pg_receivewal", "pg_receivexlog"] {
            #expect(UnderstudyHelp.text.contains(word))
        }
        #expect(Command.basebackup.helpText(as: .baseBackup).hasPrefix("pg_basebackup takes a base backup"))
    }

    /// `fixtures/help` has them as a user sees them: after a change, put there what the program prints, and read it.
    @Test(
        "help texts, to the letter",
        arguments: [
            "understudy", "understudy prepare", "understudy basebackup", "understudy clone", "understudy configure",
            "understudy check", "understudy receivewal", "understudy restore-wal", "understudy archive",
            "understudy verifybackup",
            "understudy archive list", "understudy archive check", "understudy archive prune", "pg_basebackup",
            "pg_receivewal", "pg_receivexlog", "pg_verifybackup",
        ])
    func helpTexts(_ name: String) async throws {
        let words = name.split(separator: " ").map(String.init) + ["--help"]
        let file = Recording.fixtures.appending(path: "help/\(name.replacing(" ", with: "-")).txt")
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(await run(words) == (0, text, ""))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test("usage errors have status 1, and standard output stays empty")
    func usageErrors() async {
        #expect(
            await run("pg_basebackup", "--wal")
                == (
                    1, "",
                    """
                    pg_basebackup: option '--wal' is ambiguous; possibilities: '--wal-method' '--waldir'
                    pg_basebackup: hint: Try "pg_basebackup --help" for more information.

                    """
                ))
        #expect(
            await run("understudy", "basebackup")
                == (
                    1, "",
                    """
                    understudy: error: must specify output directory or backup target
                    understudy: hint: Try "understudy basebackup --help" for more information.

                    """
                ))
        let pointer = "understudy: hint: Try \"understudy --help\" for more information.\n"
        #expect(await run("understudy") == (1, "", "understudy: error: no command specified\n" + pointer))
        #expect(
            await run("understudy", "copy") == (1, "", "understudy: error: unrecognized command \"copy\"\n" + pointer))
        #expect(
            await run("understudy", "-v", "clone")
                == (1, "", "understudy: error: unrecognized option \"-v\" before the command\n" + pointer))
        for (words, message) in [
            (["help", "archive", "list", "x"], "too many command-line arguments (first is \"x\")"),
            (["help", "clone", "archive"], "too many command-line arguments (first is \"archive\")"),
            (["help", "archive", "lost"], "unrecognized command \"archive lost\""),
        ] {
            #expect(await run(["understudy"] + words) == (1, "", "understudy: error: \(message)\n" + pointer))
        }
        #expect(await run("understudy", "clone", "-D", "d").status == 1)
        #expect(
            await run("understudy", "clone", "-D", "\u{FFFD}")
                == (
                    1, "",
                    """
                    understudy: error: command-line argument 3 is not valid UTF-8
                    understudy: hint: Where a path has such bytes, make a symbolic link to it, and name that.

                    """
                ))
    }

    @Test(
        "who asks for objects gets a usage error as one",
        arguments: [
            ("basebackup --progress=json", "must specify output directory or backup target"),
            ("basebackup --prog=json -D d --bogus", "unrecognized option '--bogus'"),
            ("basebackup --progress=plain --progress=json -D d x", "too many command-line arguments (first is \"x\")"),
            ("clone -D d --progress json", "no primary specified"),
        ])
    func usageObjects(line: String, message: String) async throws {
        let result = await run(["understudy"] + line.split(separator: " ").map(String.init))
        #expect(result.status == 1)
        #expect(result.errors.contains(message))
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any], "\(result)")
        #expect(object["type"] as? String == "error")
        #expect(object["message"] as? String == message)
        #expect(result.output.hasPrefix(#"{"time":""#) && result.output.hasSuffix("}\n"))
    }

    @Test("a directory for WAL that is not there has a result, too")
    func resultOfRefusal() async throws {
        let result = await run(["understudy", "receivewal", "--progress=json", "-D", "/nonexistent/wal"])
        #expect(result.status == 1)
        let objects = try result.output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(objects.map { $0["type"] as? String } == ["error", "result"])
        #expect((objects.last?["error"] as? [String: Any])?["message"] as? String == objects[0]["message"] as? String)
    }

    @Test(
        "nobody else does, an archive least of all",
        arguments: [
            (
                "understudy basebackup -F t -D - --progress=json",
                "--progress=json writes to standard output, and so does the archive"
            ),
            ("understudy basebackup -D - -Ft --progress=json --bogus", "unrecognized option '--bogus'"),
            ("understudy basebackup --progress=json --progress=plain", "must specify output directory"),
            ("understudy basebackup -D d --progress=yaml", "invalid value \"yaml\" for option --progress"),
            ("understudy basebackup -D d --progress=", "invalid value \"\" for option --progress"),
            ("pg_basebackup --progress=json", "option '--progress' doesn't allow an argument"),
            ("pg_receivewal --progress=json", "option '--progress' doesn't allow an argument"),
            ("pg_receivexlog --progress=json", "option '--progress' doesn't allow an argument"),
        ])
    func noUsageObjects(line: String, message: String) async {
        let result = await run(line.split(separator: " ").map(String.init))
        #expect(result.status == 1)
        #expect(result.output == "")
        #expect(result.errors.contains(message), "\(result)")
    }

    @Test("a value that stands by itself is hinted at", arguments: ["basebackup", "receivewal"])
    func separateValue(command: String) async {
        let word = await run("understudy", command, "-D", "d", "--progress", "json")
        #expect(word.errors.contains("hint: Write --progress=json, in one word."))
        for line in [["understudy", command, "-D", "d", "json"], ["pg_\(command)", "-D", "d", "-P", "json"]] {
            #expect(await run(line).errors.contains("--help\" for more information."))
        }
    }

    @Test(
        "only a terminal that can do it has a line that renews itself",
        arguments: [
            (["TERM": "xterm"], true, .terminal), (["TERM": "xterm"], false, .plain(every: 10)),
            (["TERM": "dumb"], true, .plain(every: 10)), (["TERM": ""], true, .plain(every: 10)),
            ([:], true, .plain(every: 10)),
        ] as [([String: String], Bool, ProgressWriter.Style)])
    func terminals(environment: [String: String], isTerminal: Bool, style: ProgressWriter.Style) {
        #expect(program(environment, isTerminal: isTerminal).style(.auto) == style)
        #expect(program(environment, isTerminal: isTerminal).style(.plain) == .plain(every: 1))
    }

    @Test("a directory of WAL must exist, and only WAL needs one")
    func directoryOfWAL() async {
        #expect(
            await run("pg_receivexlog", "-D", "/nonexistent/wal")
                == (
                    1, "",
                    """
                    pg_receivexlog: error: could not open directory "/nonexistent/wal": No such file or directory
                    pg_receivexlog: hint: Make the directory first: mkdir -m 700 "/nonexistent/wal"

                    """
                ))
        #expect(
            await run(["understudy", "receivewal", "-D", "/dev/null"], isTerminal: true)
                == (
                    1, "",
                    """
                    understudy: error: could not open directory "/dev/null": Not a directory
                    understudy: hint: Name a directory that exists.

                    """
                ))
        #expect(
            await run("pg_receivewal", "-D", "")
                == (
                    1, "",
                    """
                    pg_receivewal: error: could not open directory "": No such file or directory
                    pg_receivewal: hint: Name a directory that exists.

                    """
                ))
    }

    @Test("every option has its place in the help, and no line is too wide", arguments: Command.all)
    func completeHelp(command: Command) {
        let help = command.helpText(as: .understudy)
        for option in StockArguments(command).table {
            let name = option.short.map { "-\($0), --\(option.name)" } ?? "--\(option.name)"
            #expect(help.contains(name), "\(name)")
        }
        #expect(help.split(separator: "\n").allSatisfy { $0.count <= 110 })
    }

    @Test("every option is listed once for the parser, and once for the help", arguments: Command.all)
    func listedOnce(command: Command) {
        let read = command.options.map(\.name), shown = command.help.sections.flatMap { $0.options.map(\.name) }
        #expect(read.sorted() == shown.sorted())
        #expect(Set(read).count == read.count)
        let letters = command.options.compactMap(\.short)
        #expect(Set(letters).count == letters.count)
    }

    @Test(
        "a link stands for a command, whatever directory it lies in",
        arguments: [
            ("pg_basebackup", .baseBackup), ("/usr/bin/pg_receivewal", .receiveWAL), ("./pg_receivexlog", .receiveXLOG),
            ("/usr/bin/pg_verifybackup-17", .verifyBackup),
            ("/x/pg_basebackup-9.6", .baseBackup), ("pg_basebackup-new", .understudy), ("pg_basebackup-", .understudy),
            ("understudy", .understudy), ("/opt/pg_basebackup/understudy", .understudy), ("", .understudy),
        ] as [(String, Personality)])
    func links(path: String, personality: Personality) {
        #expect(Personality(calledAs: path) == personality)
    }
}
