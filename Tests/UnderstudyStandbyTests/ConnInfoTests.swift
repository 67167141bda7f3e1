import Testing
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyTestSupport

@testable import UnderstudyStandby

/// Connection strings and URIs, which libpq reads and we print.
struct ConnInfoTests {
    private static let keywords = ["host", "user", "password", "application_name", "options", "dbname", "sslrootcert"]
    private static let pieces = [
        "a", "é", "'", "\\", " ", "%", "=", "&", "/", "@", ":", "\"", "#", "\n", "\u{1F418}", "+",
    ]

    private func read(_ string: String) throws -> ConnectionSettings {
        ConnectionSettings(try ConnectionParameters(string).settings.map { .init($0.keyword, $0.value) })
    }

    private func anySettings(_ random: inout SplitMix64) -> ConnectionSettings {
        var settings = ConnectionSettings()
        for keyword in Self.keywords where Bool.random(using: &random) {
            settings[keyword] = (0..<Int.random(in: 0...8, using: &random)).map { _ in
                Self.pieces.randomElement(using: &random)!
            }.joined()
        }
        return settings
    }

    private func isSame(_ one: ConnectionSettings, _ other: ConnectionSettings) -> Bool {
        one.settings.count == other.settings.count
            && one.settings.allSatisfy { setting in
                other[setting.keyword].map { $0.utf8.elementsEqual(setting.value.utf8) } ?? false
            }
    }

    @Test func `a connection string that is printed is read as the same`() throws {
        var random = SplitMix64(state: 18)
        for _ in 0..<1500 {
            let settings = anySettings(&random)
            let again = try read(settings.conninfo)
            #expect(isSame(again, settings), "\(settings.conninfo)")
            // And inside of a configuration file, as the server hands it to its libpq.
            guard !settings.conninfo.contains("\n") else { continue }
            let line = ConfigurationLine.setting(name: "primary_conninfo", value: settings.conninfo).text
            guard case .setting(_, let value)? = ConfigurationLine.read(line).first else {
                Issue.record("no setting: \(line)")
                continue
            }
            #expect(isSame(try read(value), settings))
        }
    }

    @Test func `a URI is read, printed and read as the same`() throws {
        var random = SplitMix64(state: 19)
        func encoded(_ text: String) -> String {
            text.utf8.map { byte in
                let digits = String(byte, radix: 16)
                return "%" + (digits.count == 1 ? "0" : "") + digits
            }.joined()
        }
        for _ in 0..<1500 {
            let settings = anySettings(&random)
            let query = settings.settings.filter { !["user", "password"].contains($0.keyword) }.map {
                "\($0.keyword)=\(encoded($0.value))"
            }.joined(separator: "&")
            var login = settings["user"].map(encoded) ?? ""
            if let password = settings["password"] { login += ":\(encoded(password))" }
            let first = try read("postgresql://\(login.isEmpty ? "" : "\(login)@")?\(query)")
            #expect(isSame(try read(first.conninfo), first))
            #expect((first["options"] ?? "").utf8.elementsEqual((settings["options"] ?? "").utf8))
            #expect((first["password"] ?? "").utf8.elementsEqual((settings["password"] ?? "").utf8))
        }
    }

    // MARK: - Shown lines

    @Test(arguments: [
        (#"primary_conninfo = 'host=a password=''se cret'''"#, "primary_conninfo = 'password=''"),
        (#"  #  Primary_ConnInfo='host=a password=secret sslpassword=secret' # c"#, "  #  primary_conninfo = "),
        (#"primary_conninfo = 'postgresql://r:secret@a/'"#, "primary_conninfo = 'user=r"),
        (#"primary_conninfo = 'hots=a password=secret'"#, "primary_conninfo = '********'"),
        (#"primary_conninfo = 'password=secret"#, "primary_conninfo = '********'"),
        (#"primary_conninfo password=secret"#, "primary_conninfo = '********'"),
    ])
    func `a password is not shown`(line: String, beginning: String) {
        let shown = HiddenSecrets.settingLine(line)
        #expect(!shown.contains("cret") && shown.hasPrefix(beginning), "\(shown)")
    }

    @Test(arguments: [
        "primary_conninfo = 'host=a user=r'", "work_mem = 5MB # password", "", "# café",
        "restore_command = 'cp \"%f\" %p'",
    ])
    func `other lines are shown as they are`(line: String) {
        #expect(HiddenSecrets.settingLine(line) == line)
    }

    @Test(arguments: [
        ("a:5432:replication:r:secret", "a:5432:replication:r:********"),
        (#"a\:b:5432:*:r\\:se:cret"#, #"a\:b:5432:*:r\\:********"#), ("secret", "********"), ("# secret", "# ********"),
        ("", ""),
    ])
    func `nor that of a password file`(line: String, shown: String) {
        #expect(HiddenSecrets.passfileLine(line) == shown)
    }
}
