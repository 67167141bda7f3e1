import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyPlatform

@Suite("A directory that a run has left unfinished")
struct UnfinishedDirectoryTests {
    private let base: String
    private let run = UnfinishedRecord.ofNewRun()

    init() throws {
        base = try TestDirectory.make("unfinished")
    }

    /// What a killed run leaves: the lock goes with the object.
    @discardableResult
    private func abandon(
        _ path: String, others: [String] = [], data: RecordedDirectory? = nil, stage: UnfinishedRecord.Stage? = nil
    ) throws -> RecordedDirectory {
        let owned = try OwnedDirectory(path, run: run, data: data, syncs: true)
        for other in others { try owned.mark?.addOther(other) }
        if let stage { try owned.mark?.set(stage) }
        _ = try owned.directory.createFile("file", mode: 0o600)
        try owned.directory.makeDirectory("dir", mode: 0o700)
        _ = try owned.directory.createFile("dir/file", mode: 0o600)
        return owned.closed.noted
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
        #expect(found.record.made.map(\.path) == ["\(base)/a", path])
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
        try #require(unsafe mkdir(path, 0o755) == 0)
        let before = FileTree.snapshot(base)
        try abandon(path)
        #expect(FileTree.snapshot(base) != before)
        try unfinished(path).remove()
        #expect(FileTree.snapshot(base) == before)
    }

    @Test func `takes the other directories of its run along, and nothing else`() throws {
        let names = ["ours", "foreign", "unmarked", "absent", "bare"]
        let data = try abandon("\(base)/target", others: names.map { "\(base)/\($0)" })
        try abandon("\(base)/ours", data: data)
        do {
            let owned = try OwnedDirectory("\(base)/foreign", run: .ofNewRun(), data: data)
            _ = try owned.directory.createFile("precious", mode: 0o600)
        }
        try TestDirectory.make(at: "\(base)/unmarked", mode: 0o700)
        try TestDirectory.write("precious", to: "\(base)/unmarked/precious")
        // Killed when it had just made its mark.
        try TestDirectory.make(at: "\(base)/bare", mode: 0o700)
        _ = try ConfinedDirectory(path: "\(base)/bare").createOwnFile(UnfinishedMark.name, mode: 0o600)
        let found = try unfinished("\(base)/target")
        #expect(found.others() == ["\(base)/ours", "\(base)/bare"])
        try found.remove()
        #expect(FileTree.names(base).sorted() == ["bare", "foreign", "unmarked"])
        #expect(FileTree.names("\(base)/bare") == [])
        #expect(FileTree.exists("\(base)/foreign/precious"))
        #expect(FileTree.exists("\(base)/unmarked/precious"))
    }

    @Test func `that is complete keeps all but the marks`() throws {
        let data = try abandon("\(base)/target", others: ["\(base)/ours"], stage: .complete)
        try abandon("\(base)/ours", data: data)
        for name in ["target", "ours"] { #expect(try unfinished("\(base)/\(name)").state == .complete) }
        let found = try unfinished("\(base)/target")
        #expect(throws: FileIOError.self) { try found.remove() }
        try found.removeMarks()
        for name in ["target", "ours"] {
            #expect(FileTree.names("\(base)/\(name)") == ["dir", "file"])
        }
    }

    @Test func `beside a data directory without a mark is part of something complete`() throws {
        let data = try abandon("\(base)/target", others: ["\(base)/ours"])
        try abandon("\(base)/ours", data: data)
        #expect(try unfinished("\(base)/ours").state == .abandoned)
        try ConfinedDirectory(path: "\(base)/target").remove(UnfinishedMark.name)
        #expect(try unfinished("\(base)/ours").state == .complete)
        // As long as that is there, and is that one.
        try ConfinedDirectory(path: base).rename("target", to: "moved")
        #expect(try unfinished("\(base)/ours").state == .abandoned)
        try abandon("\(base)/target")
        #expect(try unfinished("\(base)/ours").state == .abandoned)
    }

    @Test func `is not removed to its end if that is interrupted, and keeps its mark`() throws {
        let path = "\(base)/target", interrupt = Interrupt()
        try abandon(path)
        interrupt.raise()
        let error = #expect(throws: FileIOError.self) { try unfinished(path).remove(interrupt: interrupt) }
        #expect(error?.isInterruption == true)
        #expect(FileTree.exists("\(path)/dir/file"))
        #expect(try unfinished(path).state == .abandoned)
    }

    @Test(
        "which other file systems are mounted in is emptied up to those",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func mounted() throws {
        let path = "\(base)/target"
        try abandon(path)
        let fileSystem = try MountedFileSystem(.small(bytes: 1 << 20))
        try TestDirectory.write("precious", to: "\(fileSystem.path)/precious")
        try Program.check("/bin/mount", ["--bind", fileSystem.path, "\(path)/dir"], asCaller: true)
        defer { _ = try? Program.check("/bin/umount", ["\(path)/dir"], asCaller: true) }
        let error = #expect(throws: FileIOError.self) { try unfinished(path).remove() }
        #expect(error?.number == EXDEV)
        #expect(FileTree.exists("\(fileSystem.path)/precious"))
        #expect(try unfinished(path).state == .abandoned)
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

    @Test func `with an empty mark and nothing else is ours all the same`() throws {
        let path = "\(base)/target"
        try TestDirectory.make(at: path, mode: 0o700)
        _ = try ConfinedDirectory(path: path).createOwnFile(UnfinishedMark.name, mode: 0o600)
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
