import Testing
import UnderstudyBackupFormat
import UnderstudyConfiguration

@testable import UnderstudyBackup

@Suite("What is changed in an archive on its way")
struct TarEditsTests {
    private func edits() -> TarEdits {
        var edits = TarEdits()
        edits.add(.init(name: "postgresql.auto.conf", content: "a = 1\n", kind: .append))
        edits.add(.init(name: "postgresql.auto.conf", content: "b = 2\n", kind: .append))
        edits.add(.init(name: "standby.signal", content: "", kind: .create))
        edits.add(.init(name: "postgresql.conf", content: "c = 3\n", kind: .appendIfPresent))
        return edits
    }

    @Test("files that come are extended or left out, and what did not come follows")
    func coming() throws {
        var edits = edits()
        #expect(try edits.fate(of: MemberPath("PG_VERSION")) == .kept)
        #expect(try edits.fate(of: MemberPath("base/postgresql.auto.conf")) == .kept)
        #expect(try edits.fate(of: MemberPath("postgresql.auto.conf")) == .extended(Array("a = 1\nb = 2\n".utf8)))
        #expect(try edits.fate(of: MemberPath("postgresql.conf")) == .extended(Array("c = 3\n".utf8)))
        // As of a server that is a standby itself.
        #expect(try edits.fate(of: MemberPath("standby.signal")) == .leftOut)
        #expect(edits.additions.map(\.name) == ["standby.signal"])
    }

    @Test("a file that does not come is made, but for one that only its server would have")
    func missing() {
        let additions = edits().additions
        #expect(additions.map(\.name) == ["postgresql.auto.conf", "standby.signal"])
        #expect(additions.map { String(decoding: $0.content, as: UTF8.self) } == ["a = 1\nb = 2\n", ""])
    }

    @Test("a member needs a directory, and a name of its own")
    func tree() throws {
        func entry(_ path: String, _ kind: TarEntry.Kind = .file) throws -> TarEntry {
            TarEntry(path: try MemberPath(path), kind: kind, mode: 0o700)
        }
        var tree = ArchiveTree()
        #expect(try tree.add(entry("PG_VERSION")) == nil)
        #expect(try tree.add(entry("base", .directory)) == nil)
        #expect(try tree.add(entry("base/1")) == nil)
        #expect(try tree.add(entry("base/1/x")) == "No directory has come that holds it.")
        #expect(try tree.add(entry("global/x")) == "No directory has come that holds it.")
        #expect(try tree.add(entry("base", .directory)) == "There is one of that name already.")
        #expect(try tree.add(entry("base/1", .directory)) == "There is one of that name already.")
        #expect(try tree.add(entry("PG_VERSION")) == "There is one of that name already.")
    }
}
