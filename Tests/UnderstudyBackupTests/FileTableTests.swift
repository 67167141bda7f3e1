import Testing
import UnderstudyBackupFormat
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

@Suite("The table of a server's files")
struct FileTableTests {
    private func directory(_ path: String) -> FileTable.Directory {
        .init(archive: 0, isOfTablespace: false, path: path, member: path == "." ? [] : Array(path.utf8))
    }

    @Test("keeps what it is given, in any order of directories")
    func kept() throws {
        var table = FileTable()
        let top = try table.add(directory(".")), base = try table.add(directory("base/5"))
        _ = try table.add(directory("empty"))
        let added: [(String, Int, UInt64, Int64)] = [
            ("PG_VERSION", top, 3, 1_700_000_000), ("1259", base, 1 << 40, 0), ("1259_fsm", base, 0, -5),
            ("postgresql.conf", top, 30_000, 1 << 33),
        ]
        for (name, directory, size, time) in added {
            try table.add(Array(name.utf8), in: directory, size: size, modificationTime: time)
        }
        #expect(
            table.files.map { table.serverPath($0) } == [
                "PG_VERSION", "base/5/1259", "base/5/1259_fsm", "postgresql.conf",
            ])
        #expect(try table.files.map { try table.memberPath($0).string } == table.files.map { table.serverPath($0) })
        #expect(table.files.map(\.size) == [3, 1 << 40, 0, 30_000])
        // Of a time that 32 bits cannot hold, the nearest.
        #expect(table.files.map(\.modificationTime) == [1_700_000_000, 0, 0, Int64(UInt32.max)])
        #expect(table.files.map(\.directory) == [0, 1, 1, 0])
    }

    @Test("a name with a slash, or one that leads up, is refused", arguments: ["a/../b", "..", "/x"])
    func flaws(_ name: String) throws {
        var table = FileTable()
        try table.add(Array(name.utf8), in: table.add(directory("base")), size: 1, modificationTime: 0)
        let file = try #require(table.files.first)
        #expect(throws: UnderstudyError.self) { try table.memberPath(file) }
    }

    @Test("of a name that a file system shows again, the first entry counts")
    func repeatedNames() throws {
        var entries = DirectoryEntries()
        for (index, name) in ["b", "a", "b", "ab", "b", "a", ""].enumerated() {
            try entries.append(Array(name.utf8), UInt64(index), index == 1, Int64(index))
        }
        try entries.dropRepeated()
        #expect(entries.names.map { String(decoding: $0, as: UTF8.self) } == ["b", "a", "ab", ""])
        #expect(entries.sizes == [0, 1, 3, 6])
        #expect(entries.isDirectory == [false, true, false, false])
        #expect(entries.times == [0, 1, 3, 6])
        try entries.dropRepeated()
        #expect(entries.names.count == 4)
    }
}
