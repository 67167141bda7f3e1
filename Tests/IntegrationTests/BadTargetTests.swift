import Foundation
import Testing
import UnderstudyTestSupport

/// Targets and mappings that cannot be used: refused before the server is asked for anything, and untouched.
@Suite(.disabled(if: isStock)) struct BadTargetTests {
    /// A port where nobody listens: whoever asks the server gets another error than the one expected.
    private static func nobody() throws -> String { "host=127.0.0.1 user=postgres port=\(try Port.free())" }

    @Test(arguments: Command.allCases)
    func `a target that is not empty is refused and untouched`(command: Command) throws {
        let target = try TestDirectory.make("target")
        try TestDirectory.write("mine", to: "\(target)/file", mode: 0o604)
        try TestDirectory.make(at: "\(target)/lost+found")
        let before = FileTree.snapshot(target)
        let result = try UnderstudyProgram.run(command.arguments(Self.nobody(), target))
        expectRefused(result, "\"\(target)\"", "not empty")
        #expect(FileTree.snapshot(target) == before)
    }

    @Test(arguments: Command.allCases)
    func `a target that is a file is refused and untouched`(command: Command) throws {
        let target = TestDirectory.freshPath("target")
        try TestDirectory.write("mine", to: target)
        let before = FileTree.snapshot(target)
        let result = try UnderstudyProgram.run(command.arguments(Self.nobody(), target))
        expectRefused(result, "\"\(target)\"", "not a directory")
        #expect(FileTree.snapshot(target) == before)
    }

    @Test(arguments: Command.allCases)
    func `a target in a directory that may not be written is refused`(command: Command) throws {
        let parent = try TestDirectory.make("parent", mode: 0o500)
        let result = try UnderstudyProgram.run(command.arguments(Self.nobody(), "\(parent)/target"))
        expectRefused(result, "\"\(parent)", "ermission denied")
        #expect(FileTree.names(parent) == [])
    }

    @Test(arguments: Command.allCases)
    func `an empty target that may not be written is refused`(command: Command) throws {
        let target = try TestDirectory.make("target", mode: 0o500)
        let before = FileTree.snapshot(target)
        let result = try UnderstudyProgram.run(command.arguments(Self.nobody(), target))
        expectRefused(result, "\"\(target)\"", "ermission denied")
        #expect(FileTree.snapshot(target) == before)
    }

    @Test(arguments: Command.allCases)
    func `parents that were made are removed when the run fails`(command: Command) throws {
        let parent = try TestDirectory.make("parent")
        let result = try UnderstudyProgram.run(command.arguments(Self.nobody(), "\(parent)/one/two/target"))
        expectRefused(result)
        #expect(FileTree.names(parent) == [])
    }

    @Test(arguments: Command.allCases)
    func `an empty target that was there stays when the run fails`(command: Command) throws {
        let target = try TestDirectory.make("target", mode: 0o750)
        let before = FileTree.snapshot(target)
        let result = try UnderstudyProgram.run(command.arguments(Self.nobody(), target))
        expectRefused(result)
        #expect(FileTree.snapshot(target) == before)
    }

    @Test(arguments: Command.allCases)
    func `a WAL directory that is not empty is refused and untouched`(command: Command) throws {
        let wal = try TestDirectory.make("wal")
        try TestDirectory.write("mine", to: "\(wal)/file")
        let before = FileTree.snapshot(wal)
        let target = TestDirectory.freshPath("target")
        let result = try UnderstudyProgram.run(command.arguments(Self.nobody(), target) + ["--waldir", wal])
        expectRefused(result, "\"\(wal)\"", "not empty")
        #expect(FileTree.snapshot(wal) == before)
        #expect(!FileTree.exists(target))
    }
}

/// Mappings of tablespaces that do not fit the server's: known when its header has arrived.
@Suite(.disabled(if: isStock)) struct BadTablespaceTests {
    /// A primary with one tablespace, and a run that fails; nothing may be left of it.
    private func expectFailure(
        _ command: Command, words: String..., map: (_ space: String, _ target: String) -> [String]
    ) throws {
        let primary = try Cluster(.newest)
        let space = try primary.makeTablespace("space")
        try primary.sql("CHECKPOINT")
        let before = FileTree.snapshot(space)
        let parent = try TestDirectory.make("parent")
        let target = "\(parent)/target"
        let result = try UnderstudyProgram.run(
            command.arguments(primary.connectionString(), target) + map(space, target))
        expectRefused(result)
        for word in words { #expect(result.errorOutput.contains(word), "\(result)") }
        #expect(FileTree.names(parent) == [])
        #expect(FileTree.snapshot(space) == before)
        try primary.expectReleased()
    }

    @Test(arguments: Command.allCases)
    func `without a mapping the primary's own tablespace is refused as not empty`(command: Command) throws {
        try expectFailure(command, words: "not empty") { _, _ in [] }
    }

    @Test(arguments: Command.allCases)
    func `a mapped directory that is not empty is refused and untouched`(command: Command) throws {
        let mapped = try TestDirectory.make("mapped")
        try TestDirectory.write("mine", to: "\(mapped)/file")
        let before = FileTree.snapshot(mapped)
        try expectFailure(command, words: "\"\(mapped)\"", "not empty") { space, _ in ["-T", "\(space)=\(mapped)"] }
        #expect(FileTree.snapshot(mapped) == before)
    }

    @Test(arguments: Command.allCases)
    func `a mapped directory inside the target is refused`(command: Command) throws {
        try expectFailure(command, words: "target/space\"") { space, target in ["-T", "\(space)=\(target)/space"] }
    }

    @Test(arguments: Command.allCases)
    func `a mapping of a directory that the server does not have is refused`(command: Command) throws {
        let (mapped, other) = (TestDirectory.freshPath("mapped"), TestDirectory.freshPath("other"))
        try expectFailure(command, words: "\"/no/such/tablespace\"") { space, _ in
            ["-T", "\(space)=\(mapped)", "-T", "/no/such/tablespace=\(other)"]
        }
        #expect(!FileTree.exists(mapped))
        #expect(!FileTree.exists(other))
    }

    @Test(arguments: Command.allCases)
    func `a mapped directory that cannot be made is refused`(command: Command) throws {
        let parent = try TestDirectory.make("closed", mode: 0o500)
        try expectFailure(command, words: "ermission denied") { space, _ in ["-T", "\(space)=\(parent)/mapped"] }
        #expect(FileTree.names(parent) == [])
    }

    @Test(arguments: Command.allCases, ["relative=/x", "/x=relative", "/x", "=/x", "/x="])
    func `a mapping that is not two absolute paths is refused`(command: Command, mapping: String) throws {
        let target = TestDirectory.freshPath("target")
        let result = try UnderstudyProgram.run(
            command.arguments("host=127.0.0.1 port=\(Port.free())", target) + ["-T", mapping])
        #expect(result.status == 1, "\(result)")
        #expect(result.errorOutput.contains("error: "), "\(result)")
        #expect(!FileTree.exists(target))
    }
}
