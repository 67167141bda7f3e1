import Testing
import Understudy
import UnderstudyPlatform

@testable import UnderstudyCLI

/// The command lines of `archive`.
@Suite struct ArchivePlanTests {
    private func run(_ line: String) async -> (status: Int32, output: String, errors: String) {
        let recorder = Recorder()
        let program = Program(
            calledAs: "understudy", users: ClonePlanTests.user, environment: { _ in nil },
            write: { recorder.write($0, $1) }, errorsAreTerminal: false)
        let status = await program.run(line.split(separator: " ").map(String.init))
        return (status, recorder.output, recorder.errors)
    }

    @Test func `the subcommands have a help of their own`() async {
        for command in Command.archive.subcommands {
            let text = command.helpText(as: .understudy)
            #expect(await run("\(command.name) --help") == (0, text, ""))
            #expect(await run("help \(command.name)") == (0, text, ""))
            #expect(text.hasPrefix("understudy \(command.name) "))
            let read = command.options.map(\.name), shown = command.help.sections.flatMap { $0.options.map(\.name) }
            #expect(read.sorted() == shown.sorted() && Set(read).count == read.count)
        }
        #expect(await run("archive --help") == (0, Command.archive.helpText(as: .understudy), ""))
        #expect(await run("archive list -V") == (0, Version.text + "\n", ""))
    }

    @Test(arguments: [
        ("archive", "no command of \"archive\" specified first: list, check or prune"),
        ("archive show -D d", "unrecognized command \"archive show\""),
        ("help archive show", "unrecognized command \"archive show\""),
        ("archive list", "no directory specified"),
        ("archive check -D d x", "too many command-line arguments (first is \"x\")"),
        ("archive prune -D d", "nothing says what to keep: no backup or segment specified"),
        ("archive prune -D d --older-than 14d", "--older-than needs a base backup to start from"),
        ("archive prune -D d --before x --older-than 14d", "--older-than needs a base backup to start from"),
        ("archive prune -D d -b b --older-than 14", "invalid value \"14\" for option --older-than"),
        ("archive prune -D d -b b --suffix xz", "invalid value \"xz\" for option --suffix"),
        ("archive prune -D d -b b --suffix .", "invalid value \".\" for option --suffix"),
        ("archive list -D x -D y", "option --directory was given more than once: \"x\" and \"y\""),
        ("archive check -D x -D y", "option --directory was given more than once: \"x\" and \"y\""),
        ("archive prune -D x -b b --dir=y", "option --directory was given more than once: \"x\" and \"y\""),
        ("archive prune -D d --before x --before y", "option --before was given more than once: \"x\" and \"y\""),
        ("archive prune -D d -b b --older-than 2weeks", "invalid value \"2weeks\" for option --older-than"),
    ])
    func `what cannot be meant is refused`(line: String, message: String) async {
        let result = await run(line)
        #expect(result.status == 1 && result.output == "")
        #expect(result.errors.hasPrefix("understudy: error: \(message)\nunderstudy: hint: "), "\(result.errors)")
    }

    @Test func `a program gets errors as objects`() async {
        for line in [
            "archive list --json", "archive check --json -D /nowhere", "archive prune --json -D /nowhere -b /nowhere",
        ] {
            let result = await run(line)
            #expect(result.status == 1 && result.output.contains(#""type":"error","message":""#), "\(result)")
            #expect(result.output.split(separator: "\n").count == 1)
        }
    }

    @Test func `options of a plan`() throws {
        let words =
            "-D d -b b1 --keep-from b2 -b b3 -D d --suffix .xz --suffix=.zst.gpg --before 000000010000000000000003 --older-than 36h --apply --json -v"
        guard
            case .run(let plan) = try ArchivePrunePlan.read(
                words.split(separator: " ").map(String.init), as: .understudy)
        else { return #expect(Bool(false)) }
        let look = ArchiveLook(directory: "d", backups: ["b1", "b3", "b2"], writesJSON: true, verbose: true)
        #expect(
            plan
                == ArchivePrunePlan(
                    look: look, before: "000000010000000000000003", olderThan: .seconds(36 * 3600),
                    suffixes: [".xz", ".zst.gpg"], applies: true))
    }

    @Test func `names of files are shown on one line, whatever is in them`() {
        let name = "000000010000000000000003.x\nz\u{1B}", shown = #"000000010000000000000003.x\x0az\x1b"#
        let file = ArchivedFile(name: name, bytes: 1, modified: 0, isLink: true)
        var inventory = ArchiveInventory()
        inventory.segmentSize = .default
        inventory.files = [file]
        inventory.others = [file]
        inventory.unusable = [file]
        inventory.opaque = [OpaqueFile(file)!]
        let list = ArchiveText.list(WALArchive("/a\nb"), inventory, namesFiles: true)
        #expect(list.ranges(of: shown).count == 4, "\(list)")
        #expect(!list.contains("\u{1B}") && !list.contains("x\n"))
        inventory.segmentSize = nil
        #expect(
            ArchiveText.list(WALArchive("/a\nb"), inventory, namesFiles: true).hasPrefix(
                #""/a\x0ab" holds no WAL that"#))
    }

    @Test func `columns are aligned`() {
        var table = TextTable(numbers: [1])
        table.add(["a", "10", "x"])
        table.add(["bcd", "5"])
        #expect(table.lines == ["  a    10  x", "  bcd   5"])
    }
}
