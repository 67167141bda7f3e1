import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyPlatform

@Suite("A directory that a run may fill")
struct OwnedDirectoryTests {
    private let base: String

    init() throws {
        base = try TestDirectory.make("owned")
    }

    private func fill(_ owned: OwnedDirectory) throws {
        try owned.directory.makeDirectory("dir", mode: 0o700)
        _ = try owned.directory.createFile("dir/file", mode: 0o600)
        try owned.directory.makeSymbolicLink("link", to: base)
    }

    @Test("is made with its parents, and is gone with them after a failure", arguments: ["a", "a/b/c", "a//b/", "./a"])
    func absent(_ path: String) throws {
        let path = "\(base)/\(path)"
        try OwnedDirectory.check(path)
        #expect(FileTree.names(base).isEmpty)
        let owned = try OwnedDirectory(path)
        try fill(owned)
        try owned.closed.syncParents()
        #expect(FileTree.exists("\(path)/dir/file"))
        try owned.restore()
        #expect(FileTree.names(base).isEmpty)
    }

    @Test("if it was there and empty, is empty again after a failure")
    func empty() throws {
        let path = "\(base)/target"
        try TestDirectory.make(at: path, mode: 0o755)
        let before = FileTree.snapshot(base)
        try OwnedDirectory.check(path)
        let owned = try OwnedDirectory(path)
        try fill(owned)
        try owned.restore()
        #expect(FileTree.snapshot(base) == before)
    }

    @Test("parents that others have filled meanwhile stay")
    func sharedParent() throws {
        let owned = try OwnedDirectory("\(base)/a/b")
        try TestDirectory.write("other", to: "\(base)/a/other")
        try owned.restore()
        #expect(FileTree.names("\(base)/a") == ["other"])
    }

    @Test("is refused if something is in it, and that stays as it is")
    func notEmpty() throws {
        try TestDirectory.write("precious", to: "\(base)/file")
        let before = FileTree.snapshot(base)
        #expect(throws: OwnedDirectory.Refusal.notEmpty(base)) { try OwnedDirectory.check(base) }
        #expect(throws: OwnedDirectory.Refusal.notEmpty(base)) { _ = try OwnedDirectory(base) }
        #expect(FileTree.snapshot(base) == before)
    }

    @Test("is refused if it, or a parent, is a file")
    func file() throws {
        let path = "\(base)/file"
        try TestDirectory.write("precious", to: path)
        let before = FileTree.snapshot(base)
        #expect(throws: OwnedDirectory.Refusal.notADirectory(path)) { try OwnedDirectory.check(path) }
        #expect(throws: OwnedDirectory.Refusal.notADirectory(path)) { _ = try OwnedDirectory(path) }
        #expect(
            throws: OwnedDirectory.Refusal.failed(
                attempt: "could not access directory", path: "\(path)/x", number: ENOTDIR)
        ) {
            try OwnedDirectory.check("\(path)/x")
        }
        #expect(FileTree.snapshot(base) == before)
    }

    @Test("is refused if it is a link that leads nowhere, before anything is made")
    func danglingLink() throws {
        let path = "\(base)/link"
        try #require(unsafe symlink("nowhere", path) == 0)
        #expect(throws: OwnedDirectory.Refusal.notADirectory(path)) { try OwnedDirectory.check(path) }
        #expect(throws: OwnedDirectory.Refusal.notADirectory(path)) { try OwnedDirectory.check("\(path)/below") }
        #expect(throws: OwnedDirectory.Refusal.notADirectory(path)) { _ = try OwnedDirectory(path) }
        #expect(FileTree.names(base) == ["link"])
    }

    @Test("may be reached by a link to a directory that is empty")
    func linkToDirectory() throws {
        try TestDirectory.make(at: "\(base)/real")
        try #require(unsafe symlink("real", "\(base)/link") == 0)
        let owned = try OwnedDirectory("\(base)/link")
        try fill(owned)
        #expect(FileTree.names("\(base)/real") == ["dir", "link"])
        try owned.restore()
        #expect(FileTree.names(base) == ["link", "real"])
        #expect(FileTree.names("\(base)/real").isEmpty)
    }

    @Test(
        "is refused where nothing can be written",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func readOnly() throws {
        let fileSystem = try MountedFileSystem(.readOnly)
        let refusal = OwnedDirectory.Refusal.failed(
            attempt: "could not write to directory", path: fileSystem.path, number: EROFS)
        #expect(throws: refusal) { try OwnedDirectory.check(fileSystem.path) }
        #expect(throws: refusal) { try OwnedDirectory.check("\(fileSystem.path)/a/b") }
        #expect(throws: refusal) { _ = try OwnedDirectory("\(fileSystem.path)/a/b") }
    }

    @Test("is refused without permission to write")
    func noPermission() async throws {
        let path = try TestDirectory.make("closed", mode: 0o555)
        // In a process of its own, which gives up root's rights.
        await #expect(processExitsWith: .success) { [path = path as String] in
            if Account.isRoot { try #require(setgid(65534) == 0 && setuid(65534) == 0) }
            let refusal = OwnedDirectory.Refusal.failed(
                attempt: "could not write to directory", path: path, number: EACCES)
            #expect(throws: refusal) { try OwnedDirectory.check("\(path)/target") }
            #expect(throws: refusal) { _ = try OwnedDirectory("\(path)/target") }
            #expect(throws: refusal) { try OwnedDirectory.check(path) }
        }
    }

    @Test("what was made is gone when a part of it cannot be made")
    func partial() throws {
        // A name of 256 bytes is too long for every file system.
        let long = String(repeating: "x", count: 256)
        #expect(throws: OwnedDirectory.Refusal.self) { _ = try OwnedDirectory("\(base)/a/b/\(long)") }
        #expect(FileTree.names(base).isEmpty)
    }

    /// Made with a parent in a process of its own, whose umask this is.
    private static func make(umask mask: mode_t) throws {
        _ = umask(mask)
        let path = try TestDirectory.make("modes")
        let made = try OwnedDirectory("\(path)/parent/target", mode: 0o750)
        #expect(try made.directory.modeAndOwner().mode == 0o750)
        #expect(try ConfinedDirectory(path: "\(path)/parent").modeAndOwner().mode == 0o750)
    }

    @Test("modes are exact under a umask that takes everything from others")
    func strictUmask() async {
        await #expect(processExitsWith: .success) { try Self.make(umask: 0o077) }
    }

    @Test("modes are exact under a umask that takes nothing")
    func openUmask() async {
        await #expect(processExitsWith: .success) { try Self.make(umask: 0) }
    }

    @Test(
        "the parent of a path is found by its text",
        arguments: [
            ("/a/b", "/a"), ("/a/b/", "/a"), ("/a", "/"), ("a", "."), ("a/b", "a"), ("/", "/"), ("//", "/"),
            ("/a/\u{301}b", "/a"), ("\u{301}/a", "\u{301}"),
        ])
    func parents(_ path: String, _ parent: String) {
        #expect(path.parentPath == parent)
    }
}

@Suite("A tree that is put on stable storage")
struct DurableTreeTests {
    @Test("says whether each file must be synced by itself")
    func trust() throws {
        let tree = DurableTree(root: try ConfinedDirectory(path: TestDirectory.make("durable")))
        try tree.root.makeDirectory("a", mode: 0o700)
        try tree.root.makeDirectory("a/b", mode: 0o700)
        try tree.root.makeSymbolicLink("a/link", to: "/nowhere")
        _ = try tree.root.createFile("a/b/file", mode: 0o600)
        try tree.sync()
    }

    @Test("looks at the interrupt before each directory that it syncs")
    func interrupted() throws {
        let tree = DurableTree(
            root: try ConfinedDirectory(path: TestDirectory.make("durable")), syncsEachFile: true)
        try tree.root.makeDirectory("a", mode: 0o700)
        let interrupt = Interrupt()
        try tree.sync(interrupt: interrupt)
        interrupt.raise()
        let error = #expect(throws: FileIOError.self) { try tree.sync(interrupt: interrupt) }
        #expect(error?.isInterruption == true)
        #expect(error?.path == "\(tree.root.path)/a")
    }

    @Test(
        "file systems that are not known to sync as a whole are synced file by file",
        .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func untrusted() throws {
        let fileSystem = try MountedFileSystem(.small(bytes: 1 << 20))
        let tree = DurableTree(root: try ConfinedDirectory(path: fileSystem.path))
        #expect(tree.syncsEachFile)
        try tree.root.makeDirectory("a", mode: 0o700)
        try tree.root.makeSymbolicLink("a/link", to: "/nowhere")
        try tree.sync()
    }
}
