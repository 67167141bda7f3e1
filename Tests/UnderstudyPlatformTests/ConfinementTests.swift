import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

/// A directory `inside` with links in it that lead out, and beside it `outside`, which nothing may touch.
struct Confinement {
    let directory: ConfinedDirectory
    let inside: String
    let outside: String

    init() throws {
        let root = try TestDirectory.make("confined")
        (inside, outside) = ("\(root)/inside", "\(root)/outside")
        for path in [inside, outside, "\(inside)/dir", "\(outside)/dir"] { try TestDirectory.make(at: path) }
        try TestDirectory.write("here", to: "\(inside)/file")
        try TestDirectory.write("here", to: "\(inside)/dir/file")
        try TestDirectory.write("secret", to: "\(outside)/file")
        directory = try ConfinedDirectory(path: inside)
        let links = [
            "link": "../outside", "absolute": outside, "dir/up": "../../outside", "filelink": "file",
            "dirlink": "dir", "secret": "../outside/file", "dangling": "\(outside)/new",
        ]
        for (name, target) in links {
            try #require(unsafe symlink(target, "\(inside)/\(name)") == 0)
        }
    }
}

@Suite("Nothing leaves a confined directory")
struct ConfinementTests {
    /// The two ways to resolve a path: openat2(2), and the walk for where that call is refused.
    enum Way: CaseIterable {
        case openat2, walk

        func open(_ path: RelativePath, _ flags: CInt, in directory: ConfinedDirectory) throws -> FileDescriptor {
            let mode: UInt16 = flags & O_CREAT == 0 ? 0 : 0o600
            let result =
                switch self {
                case .openat2: directory.openBeneath(path, flags, mode: mode)
                case .walk: ConfinedDirectory.walk(from: directory.rawDescriptor, path, flags | O_CLOEXEC, mode: mode)
                }
            return FileDescriptor(owning: try result.get())
        }
    }

    private let confinement: Confinement
    private let before: [String]

    init() throws {
        confinement = try Confinement()
        before = FileTree.snapshot(confinement.outside)
    }

    static let escapes: [RelativePath] = [
        "..", "../outside", "../outside/file", "../inside/file", "dir/../../outside/file", "/", "/etc/passwd", "",
        "link/file", "absolute/file", "dir/up/file", "filelink", "dirlink/file", "secret", "dangling",
        "/proc/self/root/etc/passwd", "link/../inside/file",
    ]

    @Test("a path that leads out, or over a symbolic link, is not opened", arguments: escapes, Way.allCases)
    func open(_ path: RelativePath, _ way: Way) {
        #expect(throws: SystemCall.Errno.self) {
            _ = try way.open(path, O_RDONLY, in: confinement.directory)
        }
    }

    @Test(
        "a file is not made where a path leads out, or a symbolic link is",
        arguments: [
            "..", "../new", "../outside/new", "dir/../../outside/new", "/new", "", "link/new", "absolute/new",
            "dir/up/new", "dirlink/new", "dangling", "filelink", "secret",
        ] as [RelativePath], Way.allCases)
    func create(_ path: RelativePath, _ way: Way) {
        let inside = FileTree.snapshot(confinement.inside)
        #expect(throws: SystemCall.Errno.self) {
            _ = try way.open(path, O_WRONLY | O_CREAT | O_EXCL, in: confinement.directory)
        }
        #expect(FileTree.snapshot(confinement.inside) == inside)
        #expect(FileTree.snapshot(confinement.outside) == before)
    }

    @Test("what lies inside is opened", arguments: ["file", "dir/file", "dir", "."] as [RelativePath], Way.allCases)
    func opens(_ path: RelativePath, _ way: Way) throws {
        let descriptor = try way.open(path, O_RDONLY, in: confinement.directory)
        #expect(descriptor.rawValue >= 0)
    }

    @Test("a file in a directory inside is made", arguments: Way.allCases)
    func creates(_ way: Way) throws {
        _ = try way.open("dir/new", O_WRONLY | O_CREAT | O_EXCL, in: confinement.directory)
        #expect(FileTree.names("\(confinement.inside)/dir") == ["file", "new", "up"])
    }

    @Test(
        "no operation reaches over a link or out of the directory",
        arguments: [
            "../outside/file", "../outside/dir", "/etc", "link/file", "link/dir", "absolute/new", "dir/up/new",
            "dir/../../outside/new",
        ] as [RelativePath])
    func operations(_ path: RelativePath) throws {
        let directory = confinement.directory
        let inside = FileTree.snapshot(confinement.inside)
        #expect(throws: FileIOError.self) { _ = try directory.createFile(path, mode: 0o600) }
        #expect(throws: FileIOError.self) { try directory.makeDirectory(path, mode: 0o700) }
        #expect(throws: FileIOError.self) { try directory.makeSymbolicLink(path, to: "/x") }
        #expect(throws: FileIOError.self) { try directory.rename("file", to: path) }
        #expect(throws: FileIOError.self) { try directory.rename(path, to: "stolen") }
        #expect(throws: FileIOError.self) { try directory.remove(path) }
        #expect(throws: FileIOError.self) { try directory.remove(path, isDirectory: true) }
        #expect(throws: FileIOError.self) { _ = try directory.openFile(path, flags: O_RDONLY) }
        #expect(throws: FileIOError.self) { _ = try directory.openDirectory(path) }
        #expect(throws: FileIOError.self) { _ = try directory.read(path, atMost: 10) }
        #expect(throws: FileIOError.self) { try directory.append([1], to: path) }
        #expect(throws: FileIOError.self) { _ = try directory.sizeAndMode(of: path) }
        #expect(!directory.exists(path))
        #expect(FileTree.snapshot(confinement.inside) == inside)
        #expect(FileTree.snapshot(confinement.outside) == before)
    }

    @Test("the directory above is neither removed, renamed nor replaced")
    func parent() {
        let directory = confinement.directory
        #expect(throws: FileIOError.self) { try directory.remove("..", isDirectory: true) }
        #expect(throws: FileIOError.self) { try directory.rename("..", to: "x") }
        #expect(throws: FileIOError.self) { try directory.rename("dir", to: "..") }
        #expect(throws: FileIOError.self) { try directory.makeDirectory("..", mode: 0o700) }
        #expect(throws: FileIOError.self) { try directory.makeSymbolicLink("..", to: "x") }
        #expect(FileTree.snapshot(confinement.outside) == before)
    }

    @Test("a symbolic link itself is seen and removed, not what it leads to")
    func links() throws {
        #expect(confinement.directory.exists("link"))
        #expect(confinement.directory.exists("dangling"))
        try confinement.directory.remove("link")
        try confinement.directory.remove("secret")
        #expect(!FileTree.exists("\(confinement.inside)/link"))
        #expect(FileTree.snapshot(confinement.outside) == before)
    }

    @Test("contents are removed without following a link")
    func removeContents() throws {
        try confinement.directory.makeDirectory("dir/deep", mode: 0o700)
        try confinement.directory.makeDirectory("dir/deep/er", mode: 0o700)
        _ = try confinement.directory.createFile("dir/deep/er/file", mode: 0o400)
        try confinement.directory.removeContents()
        #expect(try confinement.directory.isEmpty())
        #expect(FileTree.exists(confinement.inside))
        #expect(FileTree.snapshot(confinement.outside) == before)
    }
}
