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
}
