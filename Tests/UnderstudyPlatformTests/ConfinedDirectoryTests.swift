import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

@Suite("A confined directory")
struct ConfinedDirectoryTests {
    private let path: String
    private let directory: ConfinedDirectory

    init() throws {
        path = try TestDirectory.make("directory")
        directory = try ConfinedDirectory(path: path)
    }

    @Test("nothing that is there is written over")
    func exclusive() throws {
        try TestDirectory.write("mine", to: "\(path)/file")
        try directory.makeDirectory("dir", mode: 0o700)
        try directory.makeSymbolicLink("link", to: "file")
        let before = FileTree.snapshot(path)
        for name in ["file", "dir", "link"] as [RelativePath] {
            for isDirect in [false, true] {
                let error = #expect(throws: FileIOError.self) {
                    var direct = isDirect
                    _ = try directory.createFile(name, mode: 0o600, direct: &direct)
                }
                #expect(error?.number == EEXIST)
                #expect(error?.description == "could not create file \"\(path)/\(name)\": File exists")
            }
            #expect(throws: FileIOError.self) { try directory.makeDirectory(name, mode: 0o700) }
            #expect(throws: FileIOError.self) { try directory.makeSymbolicLink(name, to: "x") }
        }
        #expect(FileTree.snapshot(path) == before)
    }

    @Test("a file that is there survives a direct creation that the system finds invalid")
    func invalidMode() throws {
        try TestDirectory.write("mine", to: "\(path)/file")
        #expect(throws: FileIOError.self) {
            var direct = true
            _ = try directory.createFile("file", mode: 0o100600, direct: &direct)
        }
        #expect(try FileTree.text("\(path)/file") == "mine")
    }

    /// What is made in a process of its own, whose umask this is, and with which modes.
    private static func make(umask mask: mode_t) throws {
        _ = umask(mask)
        let path = try TestDirectory.make("modes")
        let directory = try ConfinedDirectory(path: path)
        for mode in [0o600, 0o640, 0o644, 0o666, 0o755, 0o777, 0o400, 0o440] as [UInt16] {
            for isDirect in [false, true] {
                var direct = isDirect
                _ = try directory.createFile("file\(mode)\(isDirect)", mode: mode, direct: &direct)
                #expect(try directory.sizeAndMode(of: "file\(mode)\(isDirect)").mode == mode)
            }
        }
        for mode in [0o700, 0o750, 0o755, 0o777] as [UInt16] {
            try directory.makeDirectory("dir\(mode)", mode: mode)
            #expect(try directory.openDirectory("dir\(mode)").modeAndOwner().mode == mode)
        }
    }

    @Test("modes are exact under a umask that takes everything from others")
    func strictUmask() async {
        await #expect(processExitsWith: .success) { try Self.make(umask: 0o077) }
    }

    @Test("modes are exact under a umask that takes nothing")
    func openUmask() async {
        await #expect(processExitsWith: .success) { try Self.make(umask: 0) }
    }

    @Test("names are bytes, in no known encoding")
    func names() throws {
        let name = RelativePath(bytes: [0xFF, 0xFE, UInt8(ascii: "x"), 0xC3])
        _ = try directory.createFile(name, mode: 0o600)
        try directory.makeDirectory(RelativePath(bytes: [0x80]), mode: 0o700)
        _ = try directory.createFile(RelativePath(bytes: [0x80, UInt8(ascii: "/"), 0x81]), mode: 0o600)
        let entries = try directory.entries()
        #expect(entries.contains(.init(name: name, kind: .file)))
        #expect(entries.contains(.init(name: RelativePath(bytes: [0x80]), kind: .directory)))
        #expect(entries.count == 2)
        try directory.removeContents()
        #expect(try directory.isEmpty())
    }

    @Test("entries have their kinds, and leave . and .. out")
    func entries() throws {
        #expect(try directory.isEmpty())
        _ = try directory.createFile("file", mode: 0o600)
        try directory.makeDirectory("dir", mode: 0o700)
        try directory.makeSymbolicLink("link", to: "/nowhere")
        try #require(unsafe mkfifo("\(path)/fifo", 0o600) == 0)
        let kinds = Dictionary(uniqueKeysWithValues: try directory.entries().map { ($0.name.description, $0.kind) })
        #expect(kinds == ["file": .file, "dir": .directory, "link": .symbolicLink, "fifo": .other])
        // A second reading begins at the beginning again.
        #expect(try directory.entries().count == 4)
    }

    @Test("bytes are put behind those of a file, and read back up to a limit")
    func appendAndRead() throws {
        let file = try directory.createFile("file", mode: 0o600)
        try file.write([1, 2, 3].raw, at: 0, path: "file")
        try directory.append([4, 5], to: "file")
        #expect(try directory.read("file", atMost: 100) == [1, 2, 3, 4, 5])
        #expect(try directory.read("file", atMost: 2) == [1, 2])
        #expect(throws: FileIOError.self) { try directory.append([1], to: "absent") }
        #expect(try directory.entries().count == 1)
    }

    @Test("a file takes the name of another one")
    func rename() throws {
        try TestDirectory.write("new", to: "\(path)/a")
        try TestDirectory.write("old", to: "\(path)/b")
        try directory.rename("a", to: "b")
        #expect(FileTree.names(path) == ["b"])
        #expect(try FileTree.text("\(path)/b") == "new")
        let error = #expect(throws: FileIOError.self) { try directory.rename("a", to: "c") }
        #expect(
            error?.description
                == "could not rename file \"\(path)/a\" to \"\(path)/c\": No such file or directory")
    }

    @Test("everything that is made belongs to the owner", .enabled(if: Account.isRoot, "only root can give files away"))
    func owner() throws {
        let directory = try ConfinedDirectory(path: path, owner: FileOwner(user: 65534, group: 65533))
        _ = try directory.createFile("file", mode: 0o600)
        try directory.makeDirectory("dir", mode: 0o700)
        try directory.makeSymbolicLink("dir/link", to: "/etc/passwd")
        _ = try directory.openDirectory("dir").createFile("file", mode: 0o600)
        for name in ["file", "dir", "dir/link", "dir/file"] as [RelativePath] {
            let info = try directory.status(of: name)
            #expect(info.st_uid == 65534 && info.st_gid == 65533, "\(name)")
        }
        var passwd = stat()
        try #require(unsafe stat("/etc/passwd", &passwd) == 0)
        #expect(passwd.st_uid == 0)
    }

    @Test("a pipe in place of a file is not waited for")
    func pipe() throws {
        try #require(unsafe mkfifo("\(path)/pipe", 0o600) == 0)
        #expect(throws: FileIOError.self) { _ = try directory.read("pipe", atMost: 10) }
    }

    @Test("a directory that is absent, or none, cannot be opened")
    func absent() throws {
        try TestDirectory.write("", to: "\(path)/file")
        #expect(throws: FileIOError.self) { _ = try ConfinedDirectory(path: "\(path)/absent") }
        let error = #expect(throws: FileIOError.self) { _ = try ConfinedDirectory(path: "\(path)/file") }
        #expect(error?.description == "could not open directory \"\(path)/file\": Not a directory")
    }
}
