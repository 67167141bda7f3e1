import Testing
import UnderstudyTestSupport

@testable import UnderstudyCLI

@Suite struct ManualPageTests {
    @Test(arguments: Command.withPages.map(\.name))
    func `every name of every option is in the page, as it is typed`(name: String) throws {
        let command = try #require(Command.withPages.first { $0.name == name }),
            page = ManualPage.of(command, date: "").text
        for option in command.options {
            for name in ([option.name] + option.aliases).map({ "--\($0)" }) + (option.short.map { ["-\($0)"] } ?? []) {
                #expect(page.contains(RoffText.bold(name)), "\(name)")
            }
        }
        for example in command.help.examples.flatMap({ $0.split(separator: " ") }) where example.hasPrefix("-") {
            #expect(page.contains(RoffText.literal(example)))
        }
    }

    @Test func `the program's page has all commands, and what help prints`() {
        let page = ManualPage.ofProgram(date: "").text
        for command in Command.all { #expect(page.contains("\(RoffText.bold(command.name))\n")) }
        for option in HelpOptions.all { #expect(page.contains(RoffText.bold("--\(option.name)"))) }
    }

    /// Reads all pages in one call, as man(1) shows them.
    @Test(.enabled(if: FileTree.exists("/usr/bin/groff"), "needs groff"))
    func `groff has nothing to say against them`() throws {
        let pages = Command.withPages.map { ManualPage.of($0, date: "2026-11-24").text }
        let file = TestDirectory.freshPath("pages")
        try TestDirectory.write(
            ([ManualPage.ofProgram(date: "").text] + pages).joined(), to: file, mode: 0o644)
        let result = try UnderstudyTestSupport.Program.run(
            "/usr/bin/groff", ["-man", "-ww", "-rCHECKSTYLE=3", "-Tutf8", "-Kutf8", file], asCaller: true)
        #expect(result.status == 0 && result.errorOutput == "", "\(result.errorOutput)")
        for command in Command.withPages {
            #expect(result.output.contains("understudy-\(command.name.replacing(" ", with: "-"))"))
        }
    }

    @Test(
        arguments: [
            ("-", "\\-"), (#"a\b"#, #"a\eb"#), ("'x'", #"\(aqx\(aq"#), (#""x""#, #"\(dqx\(dq"#), ("~/.x", #"\(ti/.x"#),
            ("`^", #"\(ga\(ha"#),
        ])
    func `what is typed stays what it is`(text: String, escaped: String) {
        #expect(RoffText.literal(text) == escaped)
    }

    @Test(
        arguments: [
            ("a lower-case name", "a lower-case name"), ("the server's own", "the server's own"),
            ("with -F t", #"with \fB\-F\fR t"#), ("(see --no-slot).", #"(see \fB\-\-no\-slot\fR)."#),
            (#"the word "-" alone"#, #"the word \%\(dq\-\(dq alone"#), ("client-|server-", #"\%client\-|server\-"#),
            ("in /a-b/c", #"in \%/a\-b/c"#), (".pgpass holds it", #"\&.pgpass holds it"#), ("'x' is", #"\&'x' is"#),
            (#"a \n"#, #"a \%\en"#), ("on --progress=json, too", #"on \fB\-\-progress=json\fR, too"#),
        ])
    func `sentences keep what is typed, and no line of them is a request`(text: String, escaped: String) {
        #expect(RoffText.prose(text) == [escaped])
    }

    @Test func `lines are filled`() {
        let lines = RoffText.prose(String(repeating: "word ", count: 40))
        #expect(lines.count == 3)
        #expect(lines.allSatisfy { $0.count <= 78 })
    }

    @Test(
        arguments: [
            ("DIRECTORY", #"\fIDIRECTORY\fR"#), ("fast|spread", #"\fBfast\fR|\fBspread\fR"#),
            ("NONE|CRC32C", #"\fBNONE\fR|\fBCRC32C\fR"#), ("OLDDIR=NEWDIR", #"\fIOLDDIR\fR=\fINEWDIR\fR"#),
            ("[client-|server-]METHOD[:DETAIL]", #"[\fBclient\-\fR|\fBserver\-\fR]\fIMETHOD\fR[:\fIDETAIL\fR]"#),
            ("-D", #"\fB\-D\fR"#), ("--slot=NAME", #"\fB\-\-slot\fR=\fINAME\fR"#),
            ("[OPTION]...", #"[\fIOPTION\fR]..."#),
        ])
    func `placeholders are told from what is typed`(text: String, marked: String) {
        #expect(RoffText.syntax(text) == marked)
    }
}
