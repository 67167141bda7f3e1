import Glibc
import Testing
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyPlatform
import UnderstudyTestSupport

@testable import UnderstudyCore
@testable import UnderstudyStandby

@Suite("A password file for a standby")
struct PasswordFileTests {
    private let directory: String
    private let path: String
    private let line = "10.0.0.1:5432:replication:r:secret\n"

    init() throws {
        directory = try TestDirectory.make("passfile")
        path = "\(directory)/pass"
    }

    @Test("that is absent is made for its owner alone, and gone again after a failure")
    func made() throws {
        var file = try PasswordFile(path, owner: nil)
        #expect(FileTree.names(directory).isEmpty)
        try file.add([line])
        #expect(try FileTree.text(path) == line)
        #expect(try FileTree.mode(path) == 0o600)
        file.restore()
        #expect(FileTree.names(directory).isEmpty)
    }

    @Test("that is made belongs to the owner", .enabled(if: Account.isRoot, "only root can give files away"))
    func owner() throws {
        var file = try PasswordFile(path, owner: FileOwner(user: 65534, group: 65534))
        try file.add([line])
        #expect(FileTree.snapshot(directory).contains { $0.hasPrefix("pass 100600 65534:65534 ") })
    }

    @Test(
        "that is there keeps its lines, and gets each of ours once",
        arguments: [
            ("", [1], [1]), ("other\n", [1], [0, 1]), ("other", [1], [0, 1]), ("other\n", [1, 2], [0, 1, 2]),
            ("line1\n", [1], [1]), ("line1", [1], [1]), ("other\nline1\n", [1, 2], [0, 1, 2]),
            ("line1\nline2\n", [2, 1], [1, 2]), ("line10\n", [1], [10, 1]),
        ] as [(String, [Int], [Int])])
    func appended(_ before: String, _ added: [Int], _ after: [Int]) throws {
        try TestDirectory.write(before, to: path)
        var file = try PasswordFile(path, owner: nil)
        try file.add(added.map { "line\($0)\n" })
        let lines = try FileTree.text(path).split(separator: "\n").map(String.init)
        #expect(lines == after.map { $0 == 0 ? "other" : "line\($0)" })
        file.restore()
        #expect(try FileTree.text(path) == before)
        #expect(try FileTree.mode(path) == 0o600)
    }

    @Test("whose lines end with a carriage return, too, has them all the same")
    func carriageReturns() throws {
        try TestDirectory.write("other\r\nline1\r\n", to: path)
        var file = try PasswordFile(path, owner: nil)
        try file.add(["line1\n", "line2\n"])
        #expect(try FileTree.text(path) == "other\r\nline1\r\nline2\n")
    }

    @Test(
        "gives libpq our password: an old line for the same is replaced, and one that would win comes below",
        arguments: [
            ("# a\nOLD:o\n*:*:*:r:x\n", "# a\nLINE*:*:*:r:x\n"), ("OLD:o\r\nb", "OLD:new\r\nb"),
            ("OLD:o", "OLD:new"), ("z\n*:*:*:*:x\nOLD:o\nb\n", "z\nLINE*:*:*:*:x\nb\n"),
            ("*:*:*:other:x\n", "*:*:*:other:x\nLINE"), ("*:*:*:*:n\\ew\n", "*:*:*:*:n\\ew\n"),
            ("#OLD:o\n", "#OLD:o\nLINE"), ("OLD:new\nOLD:o\n", "OLD:new\nOLD:o\n"),
        ])
    func replaced(_ pattern: String, _ after: String) throws {
        let before = pattern.replacing("OLD", with: Self.old)
        try TestDirectory.write(before, to: path)
        var file = try PasswordFile(path, owner: nil)
        let line = "\(Self.old):new\n"
        let change = try file.change(adding: [line])
        try file.add([line])
        let expected = after.replacing("LINE", with: line).replacing("OLD", with: Self.old)
        #expect(try FileTree.text(path) == expected)
        #expect(change.map { $0.new == Array(expected.utf8) } ?? (before == expected))
        #expect(try FileTree.mode(path) == 0o600)
        #expect(try file.change(adding: [line]) == nil)
        file.restore()
        #expect(try FileTree.text(path) == before)
        #expect(FileTree.names(directory) == ["pass"])
    }

    private static let old = #"fe80\:\:1:5432:replication:r"#

    @Test("whose writer left out the backslashes before colons means the same to libpq")
    func bareColons() throws {
        try TestDirectory.write("fe80::1:5432:replication:r:o\n", to: path)
        var file = try PasswordFile(path, owner: nil)
        try file.add(["\(Self.old):new\n"])
        #expect(try FileTree.text(path) == "\(Self.old):new\n")
    }

    @Test("that somebody else has changed since is left as it is, written to by us or not", arguments: [false, true])
    func changedByOthers(_ isOurs: Bool) throws {
        var file = try PasswordFile(path, owner: nil)
        if isOurs { try file.add([line]) }
        try TestDirectory.write("somebody else's\n", to: path)
        file.restore()
        #expect(try FileTree.text(path) == "somebody else's\n")
    }

    @Test("to which a line came in part only is as it was, too")
    func partOfLine() throws {
        try TestDirectory.write("other\n", to: path)
        var file = try PasswordFile(path, owner: nil)
        try file.add([line])
        try TestDirectory.write("other\n\(line.prefix(7))", to: path)
        file.restore()
        #expect(try FileTree.text(path) == "other\n")
    }

    @Test("that is a symbolic link is refused, and not for its mode")
    func link() throws {
        try TestDirectory.write("other\n", to: "\(directory)/real")
        let status = unsafe symlink("\(directory)/real", path)
        #expect(status == 0)
        let error = #expect(throws: UnderstudyError.self) { try PasswordFile(path, owner: nil) }
        #expect(error?.hint?.contains("symbolic link") == true)
    }

    @Test("is not touched where no password was used")
    func none() throws {
        try TestDirectory.write("other", to: path)
        var file = try PasswordFile(path, owner: nil)
        try file.add([])
        #expect(try FileTree.text(path) == "other")
    }

    @Test("that others may read is refused, with the command that mends it", arguments: [0o644, 0o640, 0o604, 0o660])
    func readable(_ mode: Int) throws {
        try TestDirectory.write("other\n", to: path, mode: mode)
        let error = #expect(throws: UnderstudyError.self) { try PasswordFile(path, owner: nil) }
        #expect(error?.code == .configuration)
        #expect(error?.hint?.contains("chmod 0600 \(path)") == true)
        #expect(try FileTree.text(path) == "other\n")
        #expect(try FileTree.mode(path) == mode)
    }

    @Test("in a directory that does not exist is refused")
    func noDirectory() {
        let error = #expect(throws: UnderstudyError.self) { try PasswordFile("\(directory)/no/pass", owner: nil) }
        #expect(error?.code == .configuration)
        #expect(FileTree.names(directory).isEmpty)
    }
}
