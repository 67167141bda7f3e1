import Testing

@testable import UnderstudyConfiguration

@Suite struct SynchronousStandbyNamesTests {
    @Test(arguments: [
        ("", false), ("   ", false), ("other", false), ("*", true), ("archive", true), ("ARCHIVE", true),
        ("other, archive", true), ("2 (archive, b)", true), ("FIRST 1 (a,archive)", true), ("ANY 2 (*)", true),
        ("ANY 1 (\"Archive\", b)", true), ("archives", false), ("\"archive, b\"", false), ("FIRST 1 (a, b)", false),
    ])
    func `a standby is meant by its name, in any case, or by any`(setting: String, isMeant: Bool) {
        #expect(SynchronousStandbyNames(setting).mayMean("archive") == isMeant)
    }

    @Test func `quoted names may hold anything`() {
        #expect(SynchronousStandbyNames("1 (\"a b, (c)\")").mayMean("a b, (c)"))
        #expect(SynchronousStandbyNames("\"a\"\"b\"").mayMean("a\"b"))
    }

    @Test(
        "a commit waits for so many",
        arguments: [
            ("", 0), ("  ", 0), ("*", 1), ("a", 1), ("a, b", 1), ("2 (a, b, c)", 2), ("FIRST 2 (a, b)", 2),
            ("any 3 (*)", 3), ("ANY 1(a)", 1), ("any, first", 1), ("\"2 (\"", 1), ("2", 1),
        ])
    func needed(setting: String, count: Int) {
        #expect(SynchronousStandbyNames(setting).needed == count)
        #expect(SynchronousStandbyNames(setting).isEmpty == (count == 0))
    }
}
