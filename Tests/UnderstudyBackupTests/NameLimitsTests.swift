import Testing
import UnderstudyCore

@Suite("What a server keeps as it is")
struct KeptNamesTests {
    private static func long(_ count: Int) -> String { String(repeating: "s", count: count) }

    @Test(
        "of slots is short and plain",
        arguments: [
            ("standby_1", nil), ("_", nil), (long(63), nil), ("", "is too short"),
            (long(64), "is too long: it has 64 bytes, and the server keeps 63"),
            ("Standby", "contains a character that no slot name has"), ("a-b", "contains a character"),
            ("a b", "contains a character"), ("käse", "contains a character"), ("a\"b", "contains a character"),
        ] as [(String, String?)])
    func slots(_ name: String, _ flaw: String?) {
        let error = NameLimits.flaw(ofSlot: name)
        #expect((error == nil) == (flaw == nil))
        if let flaw { #expect(error?.message.hasPrefix("replication slot name \"\(name)\" \(flaw)") == true) }
    }

    @Test("of slots may be more, where the server was built so")
    func longer() {
        #expect(NameLimits.flaw(ofSlot: Self.long(127), longest: 127) == nil)
        #expect(NameLimits.flaw(ofSlot: Self.long(128), longest: 127)?.hint?.contains("1 to 127") == true)
    }

    @Test(
        "of the names of clients is short and ASCII",
        arguments: [
            ("node 1!", nil), (long(63), nil), (long(64), "it has 64 bytes, and the server keeps 63"),
            ("käse", "not printable ASCII"), ("a\tb", "not printable ASCII"),
        ] as [(String, String?)])
    func clients(_ name: String, _ flaw: String?) {
        let found = NameLimits.flaw(ofApplicationName: name)
        #expect((found == nil) == (flaw == nil))
        if let flaw { #expect(found?.contains(flaw) == true) }
    }

    @Test(
        "of labels is one line",
        arguments: [
            ("", true), ("nightly, käse", true), (long(1024), true), (long(1025), false), ("a\nb", false),
            ("a\r", false),
        ])
    func labels(_ label: String, _ isKept: Bool) {
        #expect((NameLimits.flaw(ofLabel: label) == nil) == isKept)
    }
}
