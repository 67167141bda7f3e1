import Testing

@testable import UnderstudyCLI

@Suite struct InstallationTextTests {
    @Test(
        arguments: [
            (["--man"], .manual(nil)), (["--man", "clone"], .manual("clone")), (["clone", "--man"], .manual("clone")),
            (["--completions", "zsh"], .completions(.zsh)), (["--completions=bash"], .completions(.bash)),
            (["--list"], .list),
        ] as [([String], InstallationText)])
    func `help prints what an installation is made of`(words: [String], text: InstallationText) throws {
        #expect(try InstallationText(words) == text)
    }

    @Test(
        arguments: [
            (["--man", "copy"], "unrecognized command \"copy\""), (["--man", "--list"], "give one option of help"),
            (["--list", "clone"], "too many command-line arguments (first is \"clone\")"),
            (["--completions", "csh"], "invalid value \"csh\" for option --completions"),
            (["--completions"], "option '--completions' requires an argument"),
            (["--nope"], "unrecognized option '--nope'"), (["--"], "give one option of help"),
        ])
    func `what cannot be meant is refused`(words: [String], message: String) {
        #expect(throws: UsageError.self) { try InstallationText(words) }
        do throws(UsageError) { _ = try InstallationText(words) } catch { #expect(error.message == message) }
    }

    @Test func `the list has all commands and their links`() {
        let text = InstallationText.list.text { _ in nil }
        #expect(text.split(separator: "\n").count == Command.withPages.count)
        #expect(text.contains("clone:\n"))
        #expect(text.contains("receivewal: pg_receivewal pg_receivexlog\n"))
    }

    @Test(arguments: [("1764028800", "\"2025-11-25\""), (nil, "\"\""), ("soon", "\"\"")])
    func `a page is of the day that the build tells`(epoch: String?, date: String) {
        let page = InstallationText.manual("clone").text { $0 == "SOURCE_DATE_EPOCH" ? epoch : nil }
        #expect(page.contains(".TH UNDERSTUDY\\-CLONE 1 \(date) \"Understudy \(Version.understudy)\""))
    }
}
