import Testing
import UnderstudyTestSupport

@testable import UnderstudyConfiguration

struct ConfigurationDocumentTests {
    typealias Setting = StandbyConfiguration.Setting

    private func document(_ text: String) -> ConfigurationDocument { ConfigurationDocument(Array(text.utf8)) }
    private func text(_ document: ConfigurationDocument) -> String { String(decoding: document.bytes, as: UTF8.self) }

    @Test func `a setting is replaced where it is, and earlier lines of its name go`() {
        var file = document("# a\nPort = 1 # first\nwork_mem = 5MB\nport=2\n\nport\t'3'#last\nx.y = z")
        file.set([Setting("port", "4"), Setting("new", "it's")])
        #expect(text(file) == "# a\nwork_mem = 5MB\n\nport = '4'#last\nx.y = z\nnew = 'it''s'\n")
    }

    @Test func `a line whose value is right stays as it is written`() {
        let content = "port = 4 # ours\r\n"
        var file = document(content)
        file.set([Setting("PORT", "4")])
        #expect(text(file) == content)
        // The same characters in other bytes are another value.
        var accent = document("cluster_name = 'e\u{301}'\n")
        accent.set([Setting("cluster_name", "\u{E9}")])
        #expect(text(accent) == "cluster_name = '\u{E9}'\n")
    }

    @Test func `lines that are no settings stay to the byte`() {
        let bytes: [UInt8] =
            Array("# caf".utf8) + [0xE9] + Array("\nport 1\nbroken = 'x\ninclude 'port'\n".utf8) + [0xFF]
        var file = ConfigurationDocument(bytes)
        #expect(file.bytes == bytes)
        file.remove(["port", "include", "broken"])
        #expect(file.bytes == Array("# caf".utf8) + [0xE9] + Array("\nbroken = 'x\ninclude 'port'\n".utf8) + [0xFF])
    }

    @Test func `a block stands at the end, and is moved there with what else it sets`() {
        var file = document("hot_standby = off\n")
        file.setBlock([Setting("hot_standby", "on"), Setting("port", "1")])
        let block = """
            # What understudy has set, which its next run replaces:
            hot_standby = 'on'
            port = '1'
            # The end of what understudy has set.

            """
        #expect(text(file) == "hot_standby = off\n" + block)
        file = document(text(file) + "port = 7")
        file.setBlock([Setting("port", "2")])
        #expect(
            text(file) == "hot_standby = off\nport = 7\n" + block.replacing("port = '1'", with: "port = '2'"))
        file.setBlock([], removing: ["hot_standby", "port"])
        #expect(text(file) == "hot_standby = off\nport = 7\n")
    }

    @Test func `where the block is alone, lines outside of it go`() {
        var file = document("a = 1\nb = 2\n# b\n")
        file.setBlock([Setting("b", "3")], removing: ["a"], isAlone: true)
        #expect(text(file).hasPrefix("# b\n#") && text(file).contains("\nb = '3'\n"))
        let once = file
        file.setBlock([Setting("b", "3")], removing: ["a"], isAlone: true)
        #expect(file == once)
    }

    @Test func `a mark without the other one is a comment`() {
        let mark = "# The end of what understudy has set.\n"
        var file = document(mark)
        file.setBlock([Setting("a", "1")])
        #expect(text(file).hasPrefix(mark) && text(file).utf8.count > 2 * mark.utf8.count)
    }

    // MARK: - Properties

    private static let pieces = [
        "a", "Z", "é", "'", "\\", " ", "%", "#", "=", "\t", "\r", "\u{1F418}", "e\u{301}", "$", "\"", "0", "//",
        "\u{7F}",
    ]

    private func anyText(_ random: inout SplitMix64, _ most: Int) -> String {
        (0..<Int.random(in: 0...most, using: &random)).map { _ in Self.pieces.randomElement(using: &random)! }.joined()
    }

    @Test func `what is printed is read as the same value`() {
        var random = SplitMix64(state: 16)
        for _ in 0..<3000 {
            let value = anyText(&random, 12) + (Int.random(in: 0..<8, using: &random) == 0 ? "\n" : "")
            for line in [
                ConfigurationLine.setting(name: "cluster_name", value: value), .include(value),
                .includeDirectory(value),
            ] {
                let read = ConfigurationLine.read(line.text)
                #expect(read.count == 1 && read.first.map { $0.text.utf8.elementsEqual(line.text.utf8) } == true)
            }
        }
    }

    @Test func `any text: parsed, printed and parsed again it is the same, and untouched lines stay`() {
        var random = SplitMix64(state: 17)
        let names = ["port", "Port", "restore_command", "x.y", "include", "#port", "1a", ""]
        for _ in 0..<1500 {
            let lines = (0..<Int.random(in: 0...8, using: &random)).map { _ in
                names.randomElement(using: &random)! + [" = ", "=", " ", ""].randomElement(using: &random)!
                    + [
                        ConfigurationText.quoted(anyText(&random, 6)), anyText(&random, 6), "on", "5MB # c",
                        "'\\303\\251'",
                    ].randomElement(using: &random)!
            }
            let bytes = Array((lines.joined(separator: "\n") + (Bool.random(using: &random) ? "\n" : "")).utf8)
            let read = ConfigurationLine.read(String(decoding: bytes, as: UTF8.self))
            #expect(ConfigurationLine.read(read.map(\.text).joined()) == read)
            var file = ConfigurationDocument(bytes)
            #expect(file.bytes == bytes)
            let before = file.settings
            let setting = Setting("restore_command", anyText(&random, 6))
            file.set([setting])
            let once = file
            file.set([setting])
            #expect(file == once, "a second time changes nothing")
            #expect(ConfigurationDocument(file.bytes) == file)
            #expect(file["restore_command"].map { $0.utf8.elementsEqual(setting.value.utf8) } == true)
            #expect(
                file.settings.filter { $0.name != "restore_command" } == before.filter { $0.name != "restore_command" })
        }
    }
}
