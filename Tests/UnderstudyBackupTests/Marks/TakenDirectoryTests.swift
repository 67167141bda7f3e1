import Foundation
import Glibc
import Testing
import UnderstudyCore
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyPlatform

@Suite("A directory that is taken with its contents")
struct TakenDirectoryTests {
    private func make() throws -> String {
        // Of the user of this process, as a directory has to be that is taken.
        let path = TestDirectory.freshPath("taken")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        try TestDirectory.write("precious", to: "\(path)/file")
        try TestDirectory.make(at: "\(path)/PG_15_202209061")
        return path
    }

    private func run(_ identifier: String = "1a") -> UnfinishedRecord {
        var run = UnfinishedRecord.ofNewRun()
        run.run = identifier
        run.cluster = .init(systemIdentifier: "1", major: "15")
        return run
    }

    @Test func `keeps its contents whatever becomes of the run`() throws {
        let path = try make()
        do {
            let owned = try OwnedDirectory(taking: path, as: .data, run: run())
            let closed = owned.closed
            try owned.clear()
            try owned.restore()
            try OwnedDirectory(reopening: closed).restore()
            #expect(UnfinishedDirectory.find(path)?.state == .inUse)
            // A second run has to wait.
            #expect(throws: OwnedDirectory.Refusal.self) { _ = try OwnedDirectory(taking: path, as: .data, run: run()) }
        }
        #expect(try FileTree.text("\(path)/file") == "precious")
        #expect(UnfinishedDirectory.find(path)?.state == .abandoned)
        #expect(UnfinishedDirectory.find(path)?.record.held == .data)
    }

    @Test func `that an interrupted run has left remembers the time before it`() throws {
        let parent = try TestDirectory.make("parent"), path = "\(parent)/made"
        do { _ = try OwnedDirectory(path, mode: 0o700, run: run(), syncs: true) }
        do { _ = try OwnedDirectory(taking: path, as: .data, run: run()) }
        let found = try #require(UnfinishedDirectory.find(path))
        #expect(found.record.held == nil && found.record.made.count == 1 && found.record.run == "1a")
        try found.remove()
        #expect(FileTree.names(parent) == [])
    }

    @Test(arguments: [(UnfinishedRecord.Held.data, [String]()), (.wal, []), (.tablespace, ["file"])])
    func `loses all of it when that is asked for, and in a tablespace what is of its version`(
        held: UnfinishedRecord.Held, left: [String]
    ) throws {
        let path = try make()
        do { _ = try OwnedDirectory(taking: path, as: held, run: run()) }
        try #require(UnfinishedDirectory.find(path)).remove()
        #expect(FileTree.names(path) == left)
    }

    @Test func `that another data directory's run has marked is not taken, and it is said whose it is`() throws {
        let space = try make(), one = try make(), other = try make()
        func taken(by run: UnfinishedRecord, of path: String) throws -> (OwnedDirectory, OwnedDirectory) {
            let data = try OwnedDirectory(taking: path, as: .data, run: run)
            return (data, try OwnedDirectory(taking: space, as: .tablespace, run: run, data: data.closed.noted))
        }
        func expectRefused(_ state: UnfinishedDirectory.State, _ words: String...) throws {
            let before = FileTree.snapshot(space)
            let data = try OwnedDirectory(taking: other, as: .data, run: run("2b"))
            // As looked at before a run, and by it.
            for looks in [true, false] {
                let refusal = #expect(throws: OwnedDirectory.Refusal.self) {
                    if looks {
                        try OwnedDirectory.checkTaking(space, run: run("2b"), data: data.closed.noted, owner: nil)
                    } else {
                        _ = try OwnedDirectory(
                            taking: space, as: .tablespace, run: run("2b"), data: data.closed.noted)
                    }
                }
                guard case .marked(let found) = refusal else {
                    Issue.record("\(String(describing: refusal))")
                    continue
                }
                #expect(found.state == state && found.record.data?.path == one)
                let error = UnderstudyError(OwnedDirectory.Refusal.marked(found), what: "tablespace directory")
                for word in words + [space, one, "by process \(getpid())"] {
                    #expect("\(error)".contains(word), "\(word): \(error)")
                }
            }
            #expect(FileTree.snapshot(space) == before)
        }
        do {
            let held = try taken(by: run(), of: one)
            try expectRefused(.inUse, "is being filled by another base backup", "Wait for its end")
            _ = held
        }
        try expectRefused(.abandoned, "has the mark of an interrupted base backup", "rm \(space)/pgsql_tmp.understudy")
        _ = try taken(by: run(), of: one)
    }

    @Test func `that a run has taken since it was looked at is refused by the run's process`() throws {
        let path = try make()
        let first = try OwnedDirectory(taking: path, as: .data, run: run())
        let refusal = #expect(throws: OwnedDirectory.Refusal.self) {
            _ = try OwnedDirectory(taking: path, as: .data, run: run())
        }
        let error = try UnderstudyError(#require(refusal), what: "directory")
        #expect(error.message.contains("is being filled by another base backup"), "\(error)")
        #expect(error.message.contains("by process \(getpid())") && error.hint?.contains("Wait for its end") == true)
        _ = first
    }

    @Test func `is not taken on the word of a mark that is moved there, or of another format`() throws {
        let path = try make(), other = try make()
        do { _ = try OwnedDirectory(taking: path, as: .data, run: run()) }
        for text in [try FileTree.text("\(path)/pgsql_tmp.understudy"), "format 9\n"] {
            try TestDirectory.write(text, to: "\(other)/pgsql_tmp.understudy")
            #expect(throws: OwnedDirectory.Refusal.self) {
                _ = try OwnedDirectory(taking: other, as: .data, run: run())
            }
        }
    }
}
