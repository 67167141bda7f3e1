import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyFileIO

@Suite("The record of an unfinished directory")
struct UnfinishedRecordTests {
    private static let full: UnfinishedRecord = {
        var record = UnfinishedRecord.ofNewRun()
        record.made = ["/srv/a", "/srv/a/with space", "/srv/a/with\nline end and 100 % ä"]
        record.before = ModeAndOwner(mode: 0o1755, owner: FileOwner(user: 12, group: 4_294_967_294))
        record.others = ["/srv/other", "/srv/o\u{7F}ther"]
        record.slot = .init(name: "standby_1", systemIdentifier: "7234567890123456789")
        return record
    }()

    @Test func `is read as it was written`() {
        #expect(UnfinishedRecord(reading: Self.full.text) == Self.full)
        let bare = UnfinishedRecord(run: "1")
        #expect(UnfinishedRecord(reading: bare.text) == bare)
    }

    @Test func `two runs are never taken for one`() {
        #expect(UnfinishedRecord.ofNewRun().run != UnfinishedRecord.ofNewRun().run)
    }

    @Test func `cut at any byte, holds the facts whose lines are whole, and no others`() {
        let record = Self.full, whole = UnfinishedRecord(reading: record.text)
        let bytes = Array(record.text.utf8)
        for length in bytes.indices {
            let cut = UnfinishedRecord(reading: String(decoding: bytes[..<length], as: UTF8.self))
            #expect(whole.made.starts(with: cut.made))
            #expect(whole.others.starts(with: cut.others))
            #expect(cut.before == nil || cut.before == whole.before)
            #expect(cut.slot == nil || cut.slot == whole.slot)
            #expect(cut.run.isEmpty || cut.run == whole.run)
        }
    }
}

@Suite("A directory that a run has left unfinished")
struct UnfinishedDirectoryTests {
    private let base: String
    private let run = UnfinishedRecord.ofNewRun()

    init() throws {
        base = try TestDirectory.make("unfinished")
    }

    /// What a killed run leaves: the lock goes with the object.
    private func abandon(_ path: String, others: [String] = []) throws {
        let owned = try OwnedDirectory(path, run: run, syncs: true)
        for other in others { try owned.mark?.addOther(other) }
        _ = try owned.directory.createFile("file", mode: 0o600)
        try owned.directory.makeDirectory("dir", mode: 0o700)
        _ = try owned.directory.createFile("dir/file", mode: 0o600)
    }

    private func unfinished(_ path: String) throws -> UnfinishedDirectory {
        try #require(UnfinishedDirectory.find(path))
    }

    @Test func `is refused, and found to be abandoned`() throws {
        let path = "\(base)/a/target"
        try abandon(path)
        let found = try unfinished(path)
        #expect(found.state == .abandoned)
        #expect(found.record.process == Int(getpid()))
        #expect(found.record.made == ["\(base)/a", path])
        #expect(throws: OwnedDirectory.Refusal.unfinished(found)) { try OwnedDirectory.check(path) }
        #expect(throws: OwnedDirectory.Refusal.unfinished(found)) { _ = try OwnedDirectory(path) }
        #expect(FileTree.exists("\(path)/dir/file"))
    }

    @Test func `goes with the directories above it that its run made`() throws {
        try abandon("\(base)/a/target")
        try unfinished("\(base)/a/target").remove()
        #expect(FileTree.names(base) == [])
    }

    @Test func `is empty again, with its mode, if it was there before`() throws {
        let path = "\(base)/target"
        try TestDirectory.make(at: path, mode: 0o755)
        let before = FileTree.snapshot(base)
        try abandon(path)
        #expect(FileTree.snapshot(base) != before)
        try unfinished(path).remove()
        #expect(FileTree.snapshot(base) == before)
    }

    @Test func `takes the other directories of its run along, and nothing else`() throws {
        let names = ["ours", "foreign", "unmarked", "absent"]
        try abandon("\(base)/ours")
        do {
            let owned = try OwnedDirectory("\(base)/foreign", run: .ofNewRun())
            _ = try owned.directory.createFile("precious", mode: 0o600)
        }
        try TestDirectory.make(at: "\(base)/unmarked", mode: 0o700)
        try TestDirectory.write("precious", to: "\(base)/unmarked/precious")
        try abandon("\(base)/target", others: names.map { "\(base)/\($0)" })
        let found = try unfinished("\(base)/target")
        #expect(found.others.map(\.path) == ["\(base)/ours"])
        try found.remove()
        #expect(FileTree.names(base).sorted() == ["foreign", "unmarked"])
        #expect(FileTree.exists("\(base)/foreign/precious"))
        #expect(FileTree.exists("\(base)/unmarked/precious"))
    }

    @Test func `is in use as long as its run holds it`() throws {
        let path = "\(base)/target"
        let owned = try OwnedDirectory(path, run: run)
        let found = try unfinished(path)
        #expect(found.state == .inUse)
        #expect(throws: FileIOError.self) { try found.remove() }
        #expect(FileTree.exists("\(path)/\(UnfinishedMark.name)"))
        try owned.restore()
        #expect(FileTree.names(base) == [])
    }

    @Test(arguments: ["postmaster.opts", "postmaster.pid"])
    func `in which a server was started is no rubbish`(name: String) throws {
        let path = "\(base)/target"
        try abandon(path)
        try TestDirectory.write("x", to: "\(path)/\(name)")
        #expect(try unfinished(path).state == .served)
    }

    @Test func `with an empty mark is ours all the same`() throws {
        let path = "\(base)/target"
        try TestDirectory.make(at: path, mode: 0o700)
        try TestDirectory.write("", to: "\(path)/\(UnfinishedMark.name)")
        try unfinished(path).remove()
        #expect(FileTree.names(path) == [])
    }

    @Test func `keeps its mark if something in it cannot be removed`() throws {
        let path = "\(base)/target"
        try abandon(path)
        try Program.check("/usr/bin/chattr", ["+i", "\(path)/dir/file"], asCaller: true)
        defer { _ = try? Program.check("/usr/bin/chattr", ["-i", "\(path)/dir/file"], asCaller: true) }
        let found = try unfinished(path)
        #expect(throws: FileIOError.self) { try found.remove() }
        #expect(FileTree.names(path).sorted() == ["dir", "\(UnfinishedMark.name)"])
    }

    @Test func `is finished when its mark is gone`() throws {
        let path = "\(base)/target"
        let owned = try OwnedDirectory(path, run: run)
        try owned.mark?.remove()
        #expect(UnfinishedDirectory.find(path) == nil)
        #expect(FileTree.names(path) == [])
    }
}
