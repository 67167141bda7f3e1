import Foundation
import Testing
import UnderstudyCompression
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

@Suite(
    "A WAL directory on a full disk",
    .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
struct WALDirectoryFullDiskTests {
    private let fileSystem: MountedFileSystem
    private let archive: TestArchive
    private let content = [UInt8].wal(of: segment(3))

    init() throws {
        fileSystem = try MountedFileSystem(.small(bytes: 4 << 20))
        archive = try TestArchive(fileSystem.path)
    }

    private func open(_ compression: Compression = .none) throws -> WALDirectory {
        let directory = WALDirectory(fileSystem.path, compression: compression)
        _ = try directory.open(TestArchive.origin())
        return directory
    }

    /// Fills the disk, sees that a call fails twice and says so, makes room, and repeats it.
    private func withoutRoom<Value>(_ call: () throws -> Value) throws -> Value {
        try fileSystem.fillUp()
        let before = archive.names
        for _ in 1...2 {
            let error = try #require(throws: WALDestinationError.self) { _ = try call() }
            #expect(error.isTemporary)
            #expect(error.message.hasSuffix("No space left on device"))
            #expect(error.hint?.hasPrefix("Free space on the file system") == true)
            #expect(archive.names == before)
        }
        try fileSystem.freeUp()
        return try call()
    }

    @Test("begins a segment once there is room, and leaves nothing short before")
    func plainBegin() throws {
        let directory = try open()
        try directory.store(segment(2))
        _ = try directory.sync()
        try withoutRoom { try directory.begin(segment(3)) }
        #expect(archive.names == [file(2), file(3, ".partial")])
        #expect(try archive.size(file(3, ".partial")) == 1 << 20)
        try directory.write(content, 0..<content.count)
        #expect(try directory.sync() == segment(3).end)
        try directory.finish(segment(3))
        directory.close()
        #expect(archive.names == [file(2), file(3)])
        #expect(content.isSame(as: try archive.content(file(3))))
    }

    @Test("has room for a segment that was begun, and needs none for the one after it yet")
    func plainWrite() throws {
        let directory = try open()
        try directory.begin(segment(3))
        try fileSystem.fillUp()
        try directory.write(content, 0..<1000)
        // The file for the next segment is made now, or cannot be.
        #expect(try directory.sync() == LSN(rawValue: 0x300000 + 1000))
        try directory.write(content, 1000..<content.count)
        #expect(try directory.sync() == segment(3).end)
        try directory.finish(segment(3))
        directory.close()
        #expect(archive.names == [file(3), "somebody-elses"])
        #expect(content.isSame(as: try archive.content(file(3))))
    }

    @Test("mends a short partial segment once there is room, and loses nothing of it before")
    func shortPartial() throws {
        let held = Array(content[..<300_000])
        try archive.put(file(3, ".partial"), held)
        let directory = try open()
        try withoutRoom {
            #expect(held.isHeld(in: try archive.content(file(3, ".partial"))))
            try directory.begin(segment(3))
        }
        #expect(try archive.size(file(3, ".partial")) == 1 << 20)
        #expect(held.isHeld(in: try archive.content(file(3, ".partial"))))
        directory.close()
    }

    @Test("goes on writing compressed segments once there is room", arguments: WALDirectoryCompressionTests.methods)
    func compressed(_ compression: Compression) throws {
        let directory = try open(compression)
        try directory.begin(segment(3))
        let name = file(3, compression.method.fileSuffix)
        try withoutRoom { try directory.write(content, 0..<400_000) }
        #expect(try directory.sync() == LSN(rawValue: 0x300000 + 400_000))
        try directory.write(content, 400_000..<450_000)
        #expect(try withoutRoom { try directory.sync() } == LSN(rawValue: 0x300000 + 450_000))
        #expect(try archive.content("\(name).partial")?.isSame(as: Array(content[..<450_000])) == true)
        // Of these, nothing has been put into the file yet.
        try directory.write(content, 450_000..<1_000_000)
        try directory.write(content, 1_000_000..<content.count)
        var isFinished = false
        let synced = try withoutRoom {
            // What could not be done after this, tells then.
            if !isFinished { try directory.finish(segment(3)) }
            isFinished = true
            return try directory.sync()
        }
        #expect(synced == segment(3).end)
        #expect(archive.names == [name])
        #expect(content.isSame(as: try archive.content(name)))
    }

    @Test(
        "suspends compressed segments once there is room",
        arguments: WALDirectoryCompressionTests.methods, [true, false])
    func suspension(_ compression: Compression, _ sync: Bool) throws {
        let directory = WALDirectory(fileSystem.path, compression: compression, sync: sync)
        _ = try directory.open(TestArchive.origin())
        try directory.begin(segment(3))
        try directory.write(content, 0..<50_000)
        try withoutRoom { try directory.suspend() }
        let name = file(3, compression.method.fileSuffix + ".partial")
        #expect(try archive.content(name)?.isSame(as: Array(content[..<50_000])) == true)
    }

    @Test("gets a compressed segment again that could not be finished", arguments: WALDirectoryCompressionTests.methods)
    func unfinished(_ compression: Compression) throws {
        let directory = try open(compression), name = file(3, compression.method.fileSuffix)
        try directory.begin(segment(3))
        try directory.write(content, 0..<1_000_000)
        #expect(try directory.sync() == LSN(rawValue: 0x300000 + 1_000_000))
        try directory.write(content, 1_000_000..<content.count)
        try fileSystem.fillUp()
        try directory.finish(segment(3))
        #expect(throws: WALDestinationError.self) { try directory.sync() }
        // The connection is lost meanwhile.
        directory.close()
        let held = try #require(try archive.content("\(name).partial"))
        #expect(held.count >= 1_000_000 && Array(content[..<held.count]).isSame(as: held))
        try fileSystem.freeUp()
        #expect(
            try directory.open(TestArchive.origin()).withoutTail
                == WALHoldings(next: position(1, 0x300000), isDurable: true))
        try directory.store(segment(3))
        #expect(try directory.sync() == segment(3).end)
        directory.close()
        #expect(archive.names == [name])
        #expect(content.isSame(as: try archive.content(name)))
    }

    @Test("keeps a history once there is room", arguments: Compression.each)
    func history(_ compression: Compression) throws {
        let directory = try open(compression), name = "00000002.history\(compression.method.fileSuffix)"
        let history = TestArchive.history([1: 0x350000])
        try fileSystem.fillUp()
        let error = #expect(throws: WALDestinationError.self) {
            try directory.putHistory(TimelineID(rawValue: 2), history)
        }
        #expect(error?.isTemporary == true)
        #expect(!archive.names.contains(name))
        try fileSystem.freeUp()
        try directory.putHistory(TimelineID(rawValue: 2), history)
        #expect(archive.names == [name])
        #expect(try archive.content(name) == history)
    }

    @Test("begins a segment once there is an inode for it", arguments: Compression.each)
    func inodes(_ compression: Compression) throws {
        // One is the directory's.
        let fileSystem = try MountedFileSystem(.fewInodes(2)), archive = try TestArchive(fileSystem.path)
        let directory = WALDirectory(fileSystem.path, compression: compression, sync: false)
        _ = try directory.open(TestArchive.origin())
        try directory.store(segment(2))
        _ = try directory.sync()
        let error = try #require(throws: WALDestinationError.self) { try directory.begin(segment(3)) }
        #expect(error.isTemporary)
        #expect(error.hint?.contains("no inode") == true)
        #expect(archive.names == [file(2, compression.method.fileSuffix)])
        try FileManager.default.removeItem(atPath: "\(fileSystem.path)/\(file(2, compression.method.fileSuffix))")
        try directory.begin(segment(3))
        try directory.write(content, 0..<content.count)
        try directory.finish(segment(3))
        directory.close()
        #expect(archive.names == [file(3, compression.method.fileSuffix)])
        #expect(content.isSame(as: try archive.content(file(3, compression.method.fileSuffix))))
    }
}
