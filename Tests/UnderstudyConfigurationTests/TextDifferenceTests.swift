import Testing
import UnderstudyTestSupport

@testable import UnderstudyConfiguration

struct TextDifferenceTests {
    @Test func `equal texts have no difference`() {
        #expect(TextDifference.unified(old: "a\n", new: "a\n", name: "f") == "")
        #expect(TextDifference.unified(old: "", new: "", name: "f") == "")
    }

    @Test func `a changed line stands between three lines of context`() {
        let old = (1...9).map { "line \($0)\n" }.joined()
        let new = old.replacing("line 5\n", with: "line five\n")
        #expect(
            TextDifference.unified(old: old, new: new, name: "/d/f.conf") == """
                --- /d/f.conf
                +++ /d/f.conf
                @@ -2,7 +2,7 @@
                 line 2
                 line 3
                 line 4
                -line 5
                +line five
                 line 6
                 line 7
                 line 8

                """)
    }

    @Test func `changes far apart have hunks of their own`() {
        let old = (1...20).map { "\($0)\n" }.joined()
        let new = "0\n" + old.replacing("20\n", with: "")
        #expect(
            TextDifference.unified(old: old, new: new, name: "f") == """
                --- f
                +++ f
                @@ -1,3 +1,4 @@
                +0
                 1
                 2
                 3
                @@ -17,4 +18,3 @@
                 17
                 18
                 19
                -20

                """)
    }

    @Test func `a missing newline at the end is told`() {
        #expect(
            TextDifference.unified(old: "a", new: "a\nb\n", name: "f") == """
                --- f
                +++ f
                @@ -1 +1,2 @@
                -a
                \\ No newline at end of file
                +a
                +b

                """)
    }

    @Test func `a file that comes or goes is dev null on its other side`() {
        #expect(
            TextDifference.unified(old: nil as String?, new: "a\n", name: "f")
                == "--- /dev/null\n+++ f\n@@ -0,0 +1 @@\n+a\n")
        #expect(
            TextDifference.unified(old: "a\n", new: nil as String?, name: "f")
                == "--- f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n")
        #expect(TextDifference.unified(old: nil as String?, new: "", name: "f") == "--- /dev/null\n+++ f\n")
    }

    @Test func `bytes count, not characters`() {
        #expect(TextDifference.unified(old: "\u{E9}\n", new: "e\u{301}\n", name: "f") != "")
        #expect(
            TextDifference.unified(old: "a\r\nb\r\n", new: "a\r\nc\r\n", name: "f").contains("\n a\r\n-b\r\n+c\r\n"))
    }

    @Test func `a line is compared as it is and shown as wanted`() {
        let text = TextDifference.unified(old: "p=1\n", new: "p=2\n", name: "f") { _ in "p=*" }
        #expect(text == "--- f\n+++ f\n@@ -1 +1 @@\n-p=*\n+p=*\n")
    }

    @Test func `the old text and the difference make the new one`() throws {
        var random = SplitMix64(state: 20)
        for _ in 0..<300 {
            func text() -> String {
                let lines = (0..<Int.random(in: 0...30, using: &random)).map { _ in
                    "\(Int.random(in: 0...4, using: &random))\n"
                }
                return lines.joined() + (Bool.random(using: &random) ? "" : "end")
            }
            let old = text(), new = text()
            let difference = TextDifference.unified(old: old, new: new, name: "f")
            #expect(try patched(old, difference) == new, "\(old.debugDescription) \(new.debugDescription)")
        }
    }

    /// What patch(1) makes of a text of ASCII.
    private func patched(_ old: String, _ difference: String) throws -> String {
        func split(_ text: String) -> [String] {
            var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { "\($0)\n" }
            let last = lines.removeLast()
            return last == "\n" ? lines : lines + [String(last.dropLast())]
        }
        let old = split(old)
        var new: [String] = [], taken = 0
        var lines = split(difference).dropFirst(2)
        while let line = lines.popFirst() {
            let isCut = lines.first?.hasPrefix("\\") ?? false
            let content = String(isCut ? line.dropFirst().dropLast() : line.dropFirst())
            switch line.first {
            case "@":
                let numbers = try #require(line.split(separator: " ").dropFirst().first).dropFirst()
                    .split(separator: ",").compactMap { Int($0) }
                let start = numbers.count > 1 && numbers[1] == 0 ? numbers[0] : numbers[0] - 1
                new += old[taken..<start]
                taken = start
            case " ", "-":
                #expect(old[taken] == content)
                taken += 1
                if line.first == " " { new.append(content) }
            case "+": new.append(content)
            default: #expect(line.hasPrefix("\\"))
            }
        }
        return (new + old[taken...]).joined()
    }
}
