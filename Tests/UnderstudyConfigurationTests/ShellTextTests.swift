import Testing
import UnderstudyTestSupport

@testable import UnderstudyConfiguration

@Suite("Words for a shell")
struct ShellTextTests {
    private static let texts = [
        "plain/word-1.2=a,b:c+@", "", "a b", "$(id)", "`id`", "a'b", "a''", "'\u{301};id", "a\\b",
        "a\n'b\\c\u{1B}]0;x\u{7}",
        "\u{9B}2J\u{7F}", "a\u{202E}b", "a\r\nb", "é*?~!#;&|<>\"",
    ]

    @Test("a shell reads each word as what it was", arguments: texts)
    func words(text: String) throws {
        try #expect(said("/bin/sh", ShellText.word(text)) == Array(text.utf8))
        let pasted = ShellText.pasted(text)
        try #expect(said("/bin/bash", pasted) == Array(text.utf8))
        #expect(!pasted.unicodeScalars.contains { $0.isHidden })
    }

    private func said(_ shell: String, _ word: String) throws -> [UInt8] {
        Array(try Program.check(shell, ["-c", "printf %s \(word)"]).output.utf8)
    }
}
