import Foundation
import Testing
import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

/// Somebody else moves, removes or makes files in the archive while it is written.
@Suite("Files of an archive that somebody else takes away")
struct WALDirectoryIdentityTests {
    private let archive: TestArchive
    private let content = [UInt8].wal(of: segment(3))

    init() throws {
        archive = try TestArchive()
    }

    private func path(_ name: String) -> String { "\(archive.path)/\(name)" }

    private func begin(_ compression: Compression, sync: Bool = true) throws -> (WALDirectory, partial: String) {
        let directory = WALDirectory(archive.path, compression: compression, sync: sync)
        _ = try directory.open(TestArchive.origin())
        try directory.begin(segment(3))
        try directory.write(content, 0..<300_000)
        if sync { #expect(try directory.sync() == LSN(rawValue: 0x300000 + 300_000)) }
        return (directory, file(3, "\(compression.method.fileSuffix).partial"))
    }

    private func expectTaken(_ partial: String, upTo end: Int, _ body: () throws -> Void) {
        let error = #expect(throws: WALDestinationError.self) { try body() }
        #expect(error?.message == "file \"\(path(partial))\" was removed or replaced while it was being written")
        #expect(
            error?.detail
                == "WAL from 0/300000 to \(LSN(rawValue: UInt64(0x300000 + end))) (timeline 1) is missing in the archive."
        )
        #expect(error?.isTemporary == false)
    }

    enum Change: CaseIterable, Sendable { case removed, renamed, replaced }

    private func change(_ partial: String, _ change: Change) throws {
        switch change {
        case .removed: try FileManager.default.removeItem(atPath: path(partial))
        case .renamed: try FileManager.default.moveItem(atPath: path(partial), toPath: path("elsewhere"))
        case .replaced:
            try FileManager.default.removeItem(atPath: path(partial))
            try archive.put(partial, [1, 2, 3])
        }
    }

    @Test(
        "are missed at the next sync, before anything more is acknowledged", arguments: Compression.each,
        Change.allCases)
    func missedAtSync(_ compression: Compression, _ change: Change) throws {
        let (directory, partial) = try begin(compression)
        try self.change(partial, change)
        try directory.write(content, 300_000..<400_000)
        expectTaken(partial, upTo: 400_000) { _ = try directory.sync() }
    }

    @Test("are missed when the segment ends", arguments: Compression.each, [true, false])
    func missedAtFinish(_ compression: Compression, _ sync: Bool) throws {
        for change in Change.allCases {
            let rig = try Self()
            let (directory, partial) = try rig.begin(compression, sync: sync)
            try rig.change(partial, change)
            try directory.write(rig.content, 300_000..<rig.content.count)
            rig.expectTaken(partial, upTo: rig.content.count) {
                try directory.finish(segment(3))
                _ = try directory.sync()
            }
            #expect(!rig.archive.names.contains(file(3, compression.method.fileSuffix)))
            if change == .replaced { #expect(try rig.archive.bytes(partial) == [1, 2, 3]) }
        }
    }

    @Test("are missed when the stream ends, though nothing came since", arguments: Compression.each, [true, false])
    func missedAtEnd(_ compression: Compression, _ sync: Bool) throws {
        let (directory, partial) = try begin(compression, sync: sync)
        try FileManager.default.removeItem(atPath: path(partial))
        expectTaken(partial, upTo: 300_000) { try directory.suspend() }
    }

    private func cut(_ name: String, to size: UInt64) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path(name)))
        try file.truncate(atOffset: size)
        try file.close()
    }

    enum Moment: CaseIterable, Sendable { case sync, finish, end }

    /// What is written behind the cut would give the file its size again, with zeros in its middle.
    @Test(
        "are missed where they were cut short in place, whatever is written then", arguments: Compression.each,
        [true, false])
    func cutShort(_ compression: Compression, _ sync: Bool) throws {
        for moment in Moment.allCases where sync || moment == .finish {
            for size: UInt64 in [0, 100_000] {
                let rig = try Self()
                let (directory, partial) = try rig.begin(compression, sync: sync)
                // Without sync a compressor has put nothing into the file before it is asked for a position.
                _ = try directory.sync()
                try rig.cut(partial, to: size)
                let error = #expect(throws: WALDestinationError.self, "\(moment), \(size)") {
                    switch moment {
                    case .sync:
                        try directory.write(rig.content, 300_000..<400_000)
                        _ = try directory.sync()
                    case .finish:
                        try directory.write(rig.content, 300_000..<rig.content.count)
                        try directory.finish(segment(3))
                        _ = try directory.sync()
                    case .end: try directory.suspend()
                    }
                }
                #expect(error?.message == "file \"\(rig.path(partial))\" was cut short while it was being written")
                #expect(error?.isTemporary == false)
                #expect(!rig.archive.names.contains(file(3, compression.method.fileSuffix)))
            }
        }
    }

    /// A segment is written again beside a partial file that holds more of it.
    private func beginRewriting(_ compression: Compression) throws -> (WALDirectory, partial: String) {
        let partial = file(3, "\(compression.method.fileSuffix).partial")
        try archive.putSegment(partial, upTo: 500_000)
        let directory = WALDirectory(archive.path, compression: compression)
        _ = try directory.open(TestArchive.origin())
        try directory.begin(segment(3))
        try directory.write(content, 0..<100_000)
        #expect(try directory.sync() == LSN(rawValue: 0x300000 + 100_000))
        return (directory, partial)
    }

    @Test(
        "are missed where what holds more was cut short while it is written again", arguments: Compression.compressed
    )
    func cutBesideRewritten(_ compression: Compression) throws {
        let (directory, partial) = try beginRewriting(compression)
        try cut(partial, to: 100)
        try directory.write(content, 100_000..<200_000)
        let error = #expect(throws: WALDestinationError.self) { _ = try directory.sync() }
        #expect(error?.message == "file \"\(path(partial))\" was cut short while it was being written")
    }

    @Test("without sync, what a compressor holds is put into the file when a position is asked for")
    func handedOver() throws {
        for compression in Compression.compressed {
            let archive = try TestArchive()
            let directory = WALDirectory(archive.path, compression: compression, sync: false)
            _ = try directory.open(TestArchive.origin())
            try directory.begin(segment(3))
            try directory.write(content, 0..<300_000)
            #expect(directory.written == segment(3).start)
            #expect(try directory.sync() == LSN(rawValue: 0x300000 + 300_000))
            let partial = UnderstudyWALArchiveTests.file(3, "\(compression.method.fileSuffix).partial")
            #expect(try archive.content(partial).map { $0.count == 300_000 } == true)
        }
    }

    @Test("are not named when there are none", arguments: Compression.each)
    func named(_ compression: Compression) throws {
        let (directory, partial) = try begin(compression)
        let name = WALSegmentName(timeline: TimelineID(rawValue: 1), number: 3, size: TestArchive.size)!
        #expect(directory.partialName(of: name) == partial)
        try FileManager.default.removeItem(atPath: path(partial))
        #expect(directory.partialName(of: name) == nil)
    }

    @Test("are missed though what holds more is being written beside", arguments: Compression.compressed)
    func missedBesideRewritten(_ compression: Compression) throws {
        let (directory, partial) = try beginRewriting(compression)
        try FileManager.default.removeItem(atPath: path(partial))
        try directory.write(content, 100_000..<200_000)
        expectTaken(partial, upTo: 200_000) { _ = try directory.sync() }
    }

    @Test("a name that another program has taken meanwhile is not ignored", arguments: Compression.each)
    func nameTaken(_ compression: Compression) throws {
        let directory = try ConfinedDirectory(path: archive.path)
        let partial = file(4, "\(compression.method.fileSuffix).partial")
        let output: any SegmentOutput
        if let method = compression.method {
            output = try CompressedSegment(
                segment(4), method, level: compression.level, in: directory, mode: 0o600)
        } else {
            output = try PlainSegment(segment(4), in: directory, mode: 0o600, prepared: nil)
        }
        try archive.put(partial, [1, 2, 3])
        let error = #expect(throws: WALDestinationError.self) { try output.takeName() }
        #expect(
            error?.message
                == "file \"\(path(partial))\" was made by another program while the segment was being written")
        #expect(try archive.bytes(partial) == [1, 2, 3])
    }

    @Test("a directory that was moved away is missed when a segment ends")
    func directoryMoved() throws {
        let (directory, _) = try begin(.none)
        let elsewhere = TestDirectory.freshPath("elsewhere")
        defer { TestDirectory.removeTree(elsewhere) }
        try FileManager.default.moveItem(atPath: archive.path, toPath: elsewhere)
        try TestDirectory.make(at: archive.path)
        try directory.write(content, 300_000..<content.count)
        let error = #expect(throws: WALDestinationError.self) {
            try directory.finish(segment(3))
            _ = try directory.sync()
        }
        #expect(error?.message == "directory \"\(archive.path)\" was moved or replaced while it was being written")
        // The segment is whole where it is.
        #expect(FileTree.names(elsewhere).contains(file(3)))
    }
}

@Suite("What an archive holds when a stream begins")
struct DurableHoldingsTests {
    @Test(
        "is durable where it is synced, or nobody asks for that, and the server relies on it", arguments: [true, false])
    func isDurable(_ relies: Bool) throws {
        let archive = try TestArchive()
        try archive.putSegment(file(3))
        #expect(try WALDirectory(archive.path).open(TestArchive.origin(relies: relies)).isDurable)
        #expect(
            try WALDirectory(archive.path, sync: false).open(TestArchive.origin(relies: relies)).isDurable == relies)
    }

    @Test("is not, where nothing is held")
    func nothing() throws {
        #expect(try !WALDirectory(TestArchive().path).open(TestArchive.origin()).isDurable)
    }
}
