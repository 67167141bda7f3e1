import Testing
import UnderstudyConfiguration
import UnderstudyTestSupport

@Suite("Changes of postgresql.conf") struct MainFileTests {
    private func changed(_ text: String, _ name: String = "wal_level", _ value: String = "replica") -> String {
        var file = ConfigurationDocument(Array(text.utf8))
        file.setWhereItCounts(name, value)
        return String(decoding: file.bytes, as: UTF8.self)
    }

    @Test(arguments: [
        ("", "wal_level = 'replica'\n"),
        ("# wal_level = minimal\n", "# wal_level = minimal\nwal_level = 'replica'\n"),
        ("port = 1", "port = 1\nwal_level = 'replica'\n"),
        ("wal_level = minimal\nport = 1\n", "wal_level = 'replica'\nport = 1\n"),
        ("  WAL_Level 'minimal' \t# minimal, replica\r\n", "  wal_level = 'replica' \t# minimal, replica\r\n"),
        ("wal_level='a#''\\'#b'#c", "wal_level = 'replica'#c"),
        ("wal_level = minimal\nwal_level = archive\n", "wal_level = minimal\nwal_level = 'replica'\n"),
        // What the included file says counts more than a line above it.
        (
            "wal_level = minimal\ninclude_dir 'conf.d'\n",
            "wal_level = minimal\ninclude_dir 'conf.d'\nwal_level = 'replica'\n"
        ),
        ("wal_level = replica # yes\n", "wal_level = replica # yes\n"),
    ])
    func `touch one line`(text: String, result: String) {
        #expect(changed(text) == result)
        #expect(changed(result) == result)
    }

    @Test func `quote what a value has`() {
        let value = "it's C:\\x # é"
        let text = changed("", "archive_command", value)
        #expect(ConfigurationLine.read(text) == [.setting(name: "archive_command", value: value)])
    }

    @Test func `change one setting, and no other byte, in any text`() {
        let parts = [
            "wal_level", "port", "=", " ", "\t", "'", "''", "\\", "#", "\n", "\n", "\r\n", "minimal", "on", "1",
            "include",
            "include_dir", "'x'", "\u{e9}", "wal_level = minimal\n", "port = 1 # a\n",
        ]
        var random = SplitMix64(state: 7)
        for _ in 0..<400 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...40, using: &random) {
                bytes += Array((parts.randomElement(using: &random) ?? "").utf8)
                if Int.random(in: 0..<50, using: &random) == 0 { bytes.append(0xFE) }
            }
            var file = ConfigurationDocument(bytes)
            #expect(file.bytes == bytes)
            let before = ConfigurationLine.read(String(decoding: bytes, as: UTF8.self))
            file.setWhereItCounts("wal_level", "logical")
            #expect(file.value(beyondIncludes: "wal_level") == "logical", "\(String(decoding: bytes, as: UTF8.self))")
            let after = ConfigurationLine.read(String(decoding: file.bytes, as: UTF8.self))
            func others(_ lines: [ConfigurationLine]) -> [ConfigurationLine] {
                lines.filter { if case .setting("wal_level", _) = $0 { false } else { true } }
            }
            #expect(others(after) == others(before))
            #expect(
                after.last { if case .setting("wal_level", _) = $0 { true } else { false } }
                    == .setting(name: "wal_level", value: "logical"))
            let again = file
            #expect(!file.setWhereItCounts("wal_level", "logical") && file == again)
        }
    }
}
