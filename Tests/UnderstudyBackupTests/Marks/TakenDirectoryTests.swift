import Foundation
import Testing
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
