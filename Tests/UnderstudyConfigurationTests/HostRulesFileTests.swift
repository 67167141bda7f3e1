import Testing
import UnderstudyConfiguration
import UnderstudyTestSupport

@Suite("The text of pg_hba.conf") struct HostRulesFileTests {
    private func lines(_ text: String, _ version: Int = 150_000) -> [HostRulesFile.Line] {
        HostRulesFile(Array(text.utf8), version: version).lines
    }

    private func parsed(_ text: String, _ version: Int = 150_000) -> HostRule? {
        let lines = lines(text, version)
        guard lines.count == 1, case .rule(let rule) = lines[0].content else { return nil }
        return rule
    }

    @Test func `has fields of several words, quotes, comments and options`() throws {
        let rule = try #require(
            parsed(#"host all,"all",+ops  "a ""b"" #c",d 10.0.0.0/8 ldap ldapserver="x y" ldaptls=1 # end"#))
        #expect(rule.connection == .host && rule.method == "ldap")
        #expect(rule.databases == [HostToken("all"), HostToken("all", isQuoted: true), HostToken("+ops")])
        #expect(rule.roles == [HostToken(#"a "b" #c"#, isQuoted: true), HostToken("d")])
        #expect(rule.address == .network(HostNetwork(address: [10, 0, 0, 0], mask: [255, 0, 0, 0])))
        #expect(rule.options.map(\.text) == ["ldapserver=x y", "ldaptls=1"])
        // A blank behind the comma does not end the field, one before it does.
        #expect(parsed("local a, b c peer")?.databases.count == 2)
        #expect(parsed("local a ,b peer")?.roles == [HostToken("b")])
    }

    @Test(arguments: [
        ("host all all 10.0.0.0 255.0.0.0 md5", HostNetwork(address: [10, 0, 0, 0], mask: [255, 0, 0, 0])),
        ("host all all ::1/128 md5", HostNetwork(address: Array(repeating: 0, count: 15) + [1])),
        ("hostssl all all fe80::1:2/64 md5", HostNetwork("fe80::1:2/64")),
    ])
    func `has addresses with masks of both kinds`(text: String, network: HostNetwork?) {
        #expect(parsed(text)?.address == network.map { .network($0) })
        #expect(network != nil)
    }

    @Test func `has keywords and names for addresses`() {
        #expect(parsed("host all all all md5")?.address == .all)
        #expect(parsed("host all all \"all\" md5")?.address == .name("all"))
        #expect(parsed("host all all samehost md5")?.address == .sameHost)
        #expect(parsed("host all all samenet md5")?.address == .sameNetwork)
        #expect(parsed("host all all .example.com md5")?.address == .name(".example.com"))
        #expect(parsed("local all all peer").map { $0.address == nil } == true)
    }

    @Test(arguments: [
        "lokal all all trust", "host", "host all", "host all all", "host all all 10.0.0.1/32",
        "host all all 10.0.0.1 md5", "host all all 10.0.0.1/33 md5", "host all all 10.0.0/8 md5",
        "host all all 1.1.1.1,2.2.2.2 md5", "local all all nonsense", "hostgssenc all all", "local all all md5,trust",
        "local all all peer map",
    ])
    func `is refused for a line that is no rule`(text: String) {
        guard case .fault = lines(text)[0].content else {
            Issue.record("\(text) is no fault")
            return
        }
    }

    @Test func `knows the methods and types of each version`() {
        #expect(parsed("local all all scram-sha-256", 90_600) == nil)
        #expect(parsed("local all all scram-sha-256", 100_000) != nil)
        #expect(parsed("hostnogssenc all all all md5", 110_000) == nil)
        #expect(parsed("hostnogssenc all all all md5", 120_000) != nil)
        #expect(parsed("host all all all oauth", 170_000) == nil)
        #expect(parsed("host all all all oauth", 180_000) != nil)
    }

    @Test func `continues lines from 14 on, in comments and quotes, too`() {
        let text = "local all \\\n  all \\\r\n peer\n# a \\\nhost all all all trust\nlocal all all md5\\"
        let new = lines(text, 140_000)
        #expect(new.map(\.number) == [1, 4, 6])
        if case .rule(let rule) = new[0].content { #expect(rule.method == "peer") } else { Issue.record("\(new[0])") }
        #expect(new[1].content == .nothing)
        #expect(lines(text, 130_000).count == 6)
        // Two backslashes with an empty line behind the first do not continue.
        #expect(lines("# \\\n\nlocal all all peer\n", 150_000).count == 2)
    }

    @Test func `includes files from 16 on`() {
        let text = "include_dir hba.d\n"
        #expect(lines(text, 160_000)[0].content == HostRulesFile.Content.include(.init(.directory, "hba.d")))
        if case .fault = lines(text)[0].content {} else { Issue.record("an include before 16") }
        #expect(
            lines("include_if_exists \"a b\"", 180_000)[0].content
                == HostRulesFile.Content.include(.init(.fileIfThere, "a b")))
    }

    @Test func `takes a new rule anywhere, and all other bytes stay`() {
        func inserted(_ text: String, _ index: Int?, _ version: Int = 150_000) -> String {
            var file = HostRulesFile(Array(text.utf8), version: version)
            file.insert("NEW", above: index, version: version)
            return String(decoding: file.bytes, as: UTF8.self)
        }
        #expect(inserted("", nil) == "NEW\n")
        #expect(inserted("# a\nlocal all all peer", 1) == "# a\nNEW\nlocal all all peer")
        #expect(inserted("local all all peer", nil) == "local all all peer\nNEW\n")
        #expect(inserted("a\r\nb\r\n", 1) == "a\r\nNEW\r\nb\r\n")
        // It is not continued from the last line.
        #expect(inserted("# a \\", nil) == "# a \\\n\nNEW\n")
        #expect(inserted("# a \\\n", nil) == "# a \\\n\nNEW\n")
        #expect(inserted("# a \\", nil, 130_000) == "# a \\\nNEW\n")
    }

    /// Texts of all that means something to the parser.
    static func text(_ random: inout SplitMix64) -> [UInt8] {
        let parts = [
            "local", "host", "hostssl", "all", "\"all\"", "replication", "r", "+g", "@f", "/^r$", "10.0.0.0/8", "::1",
            "255.0.0.0", "samenet", ".x.y", "trust", "md5", "scram-sha-256", " ", " ", " ", "\t", ",", "\"", "\"\"",
            "#",
            "\\", "\\\n", "\n", "\n", "\r\n", "\r", "\0", "\u{e9}", "include", "a=b",
        ]
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 0...60, using: &random) {
            bytes += Array((parts.randomElement(using: &random) ?? "").utf8)
            if Int.random(in: 0..<40, using: &random) == 0 { bytes.append(0xFF) }
        }
        return bytes
    }

    @Test(arguments: [90_300, 130_000, 150_000, 160_000, 190_000])
    func `is printed as it was read, and a new rule changes nothing but itself`(version: Int) {
        var random = SplitMix64(state: UInt64(version))
        for _ in 0..<300 {
            let bytes = Self.text(&random)
            let file = HostRulesFile(bytes, version: version)
            #expect(file.bytes == bytes)
            #expect(HostRulesFile(file.bytes, version: version) == file)
            let index = file.lines.indices.randomElement(using: &random)
            var changed = file
            changed.insert("host  replication  r  10.0.0.7/32  md5", above: index, version: version)
            let rules = changed.lines.filter { line in !file.lines.contains { $0.bytes == line.bytes } }
            #expect(rules.contains { if case .rule(let rule) = $0.content { rule.method == "md5" } else { false } })
            let contents = file.lines.map(\.content), now = changed.lines.map(\.content)
            let place = index ?? contents.count
            #expect(
                Array(now.prefix(place)) == Array(contents.prefix(place)), "\(String(decoding: bytes, as: UTF8.self))")
            #expect(Array(now.suffix(contents.count - place)) == Array(contents.suffix(contents.count - place)))
        }
    }
}

@Suite("Names in pg_hba.conf") struct HostTokenTests {
    @Test(arguments: [
        ("r", "r"), ("R-1.x", "R-1.x"), ("all", "\"all\""), ("a b", "\"a b\""), ("a\"b", "\"a\"\"b\""),
        ("+g", "\"+g\""),
        ("@f", "\"@f\""), ("#", "\"#\""), ("a\\", "\"a\\\""), ("é", "\"é\""), ("/x", nil), ("", nil), ("a\nb", nil),
    ])
    func `are written so that they mean themselves`(name: String, word: String?) throws {
        #expect(HostToken.word(name) == word)
        guard let word else { return }
        let line = HostRulesFile(Array(HostRule.line(.local, "all", word, nil, "peer").utf8), version: 180_000).lines[0]
        guard case .rule(let rule) = line.content else {
            Issue.record("\(line)")
            return
        }
        let question = HostQuestion(.socket, hasTLS: false, database: .named("x"), role: name)
        #expect(rule.match(question, version: 180_000) == .yes)
    }

    @Test func `may begin with a slash before 16`() {
        #expect(HostToken.word("/x", version: 150_000) == "\"/x\"")
        #expect(HostToken.word("/x", version: 160_000) == nil)
    }
}

@Test(arguments: [
    (
        "host all all all ldap ldapserver=x ldapbindpasswd=secret",
        "host all all all ldap ldapserver=x ldapbindpasswd=********"
    ),
    (#"host all all all radius "RadiusSecrets=a b""#, #"host all all all radius "RadiusSecrets=********"#),
    ("primary_conninfo = 'host=a password=x'", "primary_conninfo = 'host=a password=********"),
    ("local all é peer", "local all é peer"),
])
func `passwords in configuration files are not shown`(line: String, shown: String) {
    #expect(HiddenOptions.hide(line) == shown)
}
