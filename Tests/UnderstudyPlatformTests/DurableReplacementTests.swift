import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

struct DurableReplacementTests {
    private let path: String
    private let directory: ConfinedDirectory

    init() throws {
        path = try TestDirectory.make("durable")
        directory = try ConfinedDirectory(path: path)
    }

    private func replace(_ name: RelativePath, by text: String) throws(FileIOError) {
        try directory.replaceDurably(name, by: Array(text.utf8), temporary: "f.tmp", mode: 0o666)
    }

    @Test func `a file keeps its mode and owner, and is another one`() throws {
        try TestDirectory.write("old", to: "\(path)/f", mode: 0o604)
        if Account.isRoot { try Program.check("/bin/chown", ["65534:65533", "\(path)/f"], asCaller: true) }
        let before = try directory.status(of: "f")
        try TestDirectory.write("left by a run that was killed", to: "\(path)/f.tmp")
        try replace("f", by: "new")
        let after = try directory.status(of: "f")
        #expect(try FileTree.text("\(path)/f") == "new" && FileTree.names(path) == ["f"])
        #expect(after.st_mode == before.st_mode && after.st_uid == before.st_uid && after.st_gid == before.st_gid)
        #expect(after.st_ino != before.st_ino)
    }

    @Test func `a new file has the mode that is given, to the bit`() throws {
        try replace("f", by: "")
        #expect(try FileTree.mode("\(path)/f") == 0o666)
        try directory.removeDurably("f")
        #expect(FileTree.names(path) == [])
    }

    @Test func `a link and a directory are not replaced`() throws {
        try TestDirectory.write("theirs", to: "\(path)/g")
        try directory.makeSymbolicLink("l", to: "g")
        try directory.makeDirectory("d", mode: 0o700)
        let before = FileTree.snapshot(path)
        for name in ["l", "d"] as [RelativePath] {
            let error = #expect(throws: FileIOError.self) { try replace(name, by: "x") }
            #expect(error?.number == EEXIST)
        }
        #expect(FileTree.snapshot(path) == before)
    }
}
