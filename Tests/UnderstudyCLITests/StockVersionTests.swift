import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyCLI

@Suite("The version that a link claims")
struct StockVersionTests {
    @Test(
        "has two numbers, or three before 10; a major version stands for its newest",
        arguments: [
            ("15.18", "15.18"), ("15", "15.99"), ("9.6", "9.6.99"), ("9.6.24", "9.6.24"), ("19.0", "19.0"),
            ("10", "10.99"),
        ])
    func text(given: String, text: String) {
        #expect(StockVersion(given)?.text == text)
    }

    @Test(
        "is nothing else",
        arguments: [
            "", "9", "15.18.1", "9.6.24.1", "15.", ".15", "15..1", "v15", "15beta1", "0", "0.1", "12345", "15.12345",
            "１５",
        ])
    func invalid(given: String) {
        #expect(StockVersion(given) == nil)
    }

    @Test(
        "is read from the folders in which distributions keep programs",
        arguments: [
            ("/usr/lib/postgresql/15/bin", "15.99"), ("/usr/pgsql-9.6/bin", "9.6.99"),
            ("/usr/lib/postgresql14/bin", "14.99"),
            ("/opt/postgresql-16.4/bin/", "16.4"), ("15/bin", "15.99"), ("/x/15/lib/../bin/.", "15.99"),
            ("/usr/bin", nil), ("/usr/lib/postgresql/15", nil),
            ("/bin", nil), ("/opt/release-15/bin", nil), ("", nil),
        ] as [(String, String?)])
    func folder(path: String, text: String?) {
        #expect(StockVersion.inFolder(path)?.text == text)
    }

    @Test("follows a name to the folder in which a shell finds it")
    func searched() throws {
        let root = try TestDirectory.make("version")
        defer { TestDirectory.removeTree(root) }
        for folder in ["14", "14/bin", "15", "15/bin"] { try TestDirectory.make(at: "\(root)/\(folder)") }
        let path = "\(root)/none/bin:\(root)/14/bin:\(root)/15/bin"
        func chosen(_ name: String) throws -> String {
            try StockVersion.chosen(calledAs: name) { $0 == "PATH" ? path : nil }.text
        }
        #expect(try chosen("pg_basebackup") == "18.99")
        #expect(unsafe symlink("/bin/true", "\(root)/15/bin/pg_basebackup") == 0)
        #expect(try chosen("pg_basebackup") == "15.99")
        #expect(unsafe symlink("/nowhere", "\(root)/14/bin/pg_basebackup") == 0)
        #expect(try chosen("pg_basebackup") == "15.99")
        // A path is not searched for.
        #expect(try chosen("./pg_basebackup") == "18.99")
    }
}
