import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyPlatform

/// A child between fork and exec has all that its parent has open: played by a second descriptor of the same open file.
@Suite("Locks, and children that have not executed their program yet")
struct FileLockTests {
    private let base: String

    init() throws {
        base = try TestDirectory.make("locks")
    }

    /// What a child inherits.
    private func inherited(_ descriptor: CInt) throws -> FileDescriptor {
        FileDescriptor(owning: try #require([dup(descriptor)].first { $0 >= 0 }))
    }

    /// The descriptors of this process that a path is open by.
    private func descriptors(of path: String) -> [CInt] {
        FileTree.names("/proc/self/fd").compactMap { CInt($0) }.filter {
            (try? FileTree.linkTarget("/proc/self/fd/\($0)")) == path
        }
    }

    @Test("a mark whose run is over is abandoned, though a child has it open")
    func mark() throws {
        let path = "\(base)/target"
        var children: [CInt] = []
        defer { for child in children { close(child) } }
        do {
            let owned = try OwnedDirectory(path, run: .ofNewRun())
            #expect(UnfinishedDirectory.find(path)?.state == .inUse)
            children = descriptors(of: "\(path)/\(UnfinishedMark.name)").map { dup($0) }
            #expect(children.count == 1)
            withExtendedLifetime(owned) {}
        }
        let found = try #require(UnfinishedDirectory.find(path))
        #expect(found.state == .abandoned)
        try found.remove()
        #expect(FileTree.names(base) == [])
    }

    @Test("an archive that was left may be taken, though a child has it open")
    func directory() throws {
        let first = try ConfinedDirectory(path: base), second = try ConfinedDirectory(path: base)
        let child = try inherited(first.rawDescriptor)
        #expect(first.lock())
        #expect(!second.lock())
        first.unlock()
        #expect(second.lock())
        _ = consume child
    }

    @Test("two that only look do not take each other for a run")
    func looks() throws {
        let path = "\(base)/target"
        _ = try OwnedDirectory(path, run: .ofNewRun())
        let other = try ConfinedDirectory(path: path).openFile(UnfinishedMark.name, flags: O_RDONLY)
        #expect(FileLock.take(.probe, of: other.rawValue))
        #expect(UnfinishedDirectory.find(path)?.state == .abandoned)
        FileLock.release(other.rawValue)
    }

    @Test("who looks keeps nobody from removing, for it is over in a moment")
    func moment() throws {
        let path = "\(base)/target"
        _ = try OwnedDirectory(path, run: .ofNewRun())
        let found = try #require(UnfinishedDirectory.find(path))
        let other = try ConfinedDirectory(path: path).openFile(UnfinishedMark.name, flags: O_RDONLY)
        #expect(FileLock.take(.probe, of: other.rawValue))
        let raw = other.rawValue
        let thread = try OwnThread("looks") {
            usleep(50_000)
            FileLock.release(raw)
        }
        try found.remove()
        thread.join()
        #expect(FileTree.names(base) == [])
    }
}
