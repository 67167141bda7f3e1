import Testing
import UnderstudyCompression
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

/// Files that pg_receivewal left, or somebody who ran out of room.
@Suite("A WAL directory that another program has written")
struct WALDirectoryHandOverTests {
    private let archive: TestArchive
    private let content = [UInt8].wal(of: segment(3))
    private let partial = file(3, ".partial")

    init() throws {
        archive = try TestArchive()
    }

    private func open(_ compression: Compression = .none) throws -> (WALDirectory, WALHoldings) {
        let directory = WALDirectory(archive.path, compression: compression)
        return (directory, try directory.open(TestArchive.origin()))
    }

    /// nil for a whole one, with content up to 300000.
    @Test(
        "is gone on with at its partial segment, whatever the length of that",
        arguments: [0, 1, 300_000, 700_001, nil])
    func partial(_ length: Int?) throws {
        if let length {
            try archive.put(partial, Array(content[..<length]))
        } else {
            try archive.putSegment(partial, upTo: 300_000)
        }
        let held = Array(content[..<(length ?? 300_000)])
        let (directory, holdings) = try open()
        #expect(holdings.withoutTail == WALHoldings(next: position(1, 0x300000), isDurable: true))
        #expect(try archive.size(partial) == length ?? 1 << 20)
        try directory.begin(segment(3))
        #expect(try archive.size(partial) == 1 << 20)
        #expect(held.isHeld(in: try archive.content(partial)))
        // In small pieces, as of a server that has nothing more to tell.
        for start in stride(from: 0, to: 24_000, by: 8000) {
            try directory.write(content, start..<start + 8000)
            _ = try directory.sync()
            #expect(Array(content[..<max(start + 8000, held.count)]).isHeld(in: try archive.content(partial)))
        }
        try directory.writeInPieces(content, 24_000..<content.count)
        try directory.finish(segment(3))
        directory.close()
        #expect(archive.names == [file(3)])
        #expect(content.isSame(as: try archive.content(file(3))))
    }

    @Test("keeps a partial segment that is too long, and begins another one")
    func tooLong() throws {
        try archive.put(partial, content + [1])
        let (directory, holdings) = try open()
        #expect(holdings.next == nil)
        #expect(holdings.warnings == ["\"\(archive.path)/\(partial)\" has incorrect size 1048577, skipping"])
        try directory.store(segment(3))
        directory.close()
        #expect(archive.names == [file(3), "diverged"])
        #expect(archive.asideNames == [partial])
        #expect(try archive.firstAside().isSame(as: content + [1]))
    }

    @Test(
        "keeps files of wrong size, tells of them, and goes on behind the last good one",
        arguments: [file(4), file(4, ".gz"), file(4, ".lz4"), file(4, ".zst")])
    func wrongSize(_ name: String) throws {
        try archive.putSegment(file(3))
        let short = [UInt8].wal(of: segment(4)).prefix(8192)
        try archive.putSegment(name, bytes: Array(short))
        let before = try archive.bytes(name)
        let compression = Compression.each.first { name.hasSuffix($0.method.fileSuffix) && $0 != .none } ?? .none
        let (directory, holdings) = try open(compression)
        #expect(holdings.next == position(1, 0x400000))
        #expect(holdings.warnings == ["\"\(archive.path)/\(name)\" has incorrect size 8192, skipping"])
        #expect(holdings.divergence == nil)
        #expect(try archive.bytes(name) == before)
        try directory.begin(segment(4))
        try directory.writeInPieces(.wal(of: segment(4)), 0..<1 << 20)
        #expect(try archive.bytes(name) == before)
        try directory.finish(segment(4))
        directory.close()
        #expect(archive.asideNames == [name])
        #expect(try archive.firstAside() == before)
        #expect([UInt8].wal(of: segment(4)).isSame(as: try archive.content(name)))
    }

    @Test("keeps damaged compressed files, tells of them, and goes on before", arguments: [".gz", ".lz4", ".zst"])
    func damaged(_ suffix: String) throws {
        try archive.putSegment(file(3, suffix))
        try archive.putSegment(file(4, suffix))
        let bytes = try archive.bytes(file(4, suffix))
        try archive.put(file(4, suffix), bytes.dropLast())
        let (_, holdings) = try open()
        #expect(holdings.next == position(1, 0x400000))
        #expect(holdings.warnings == ["\"\(archive.path)/\(file(4, suffix))\" is damaged or incomplete, skipping"])
        #expect(try archive.bytes(file(4, suffix)) == Array(bytes.dropLast()))
    }

    @Test("gets a finished segment again without a word if it is the same")
    func sameAgain() throws {
        try archive.putSegment(file(3))
        let (directory, _) = try open()
        try directory.store(segment(3))
        directory.close()
        #expect(archive.names == [file(3)])
        #expect(content.isSame(as: try archive.content(file(3))))
    }

    @Test("keeps a finished segment that is another one", arguments: Compression.each)
    func anotherAgain(_ compression: Compression) throws {
        let name = file(3, compression.method.fileSuffix)
        var other = content
        other[700_000] ^= 1
        try archive.putSegment(name, bytes: other)
        let (directory, _) = try open(compression)
        for _ in 1...2 { try directory.store(segment(3)) }
        directory.close()
        #expect(archive.names == [name, "diverged"])
        #expect(archive.asideNames == [name])
        #expect(content.isSame(as: try archive.content(name)))
        #expect(try FileTree.mode("\(archive.path)/diverged") == 0o700)
    }

    @Test("sets files of one name aside under names of their own")
    func manyAside() throws {
        let (directory, _) = try open()
        for flip: UInt8 in 0..<4 {
            var other = content
            other[700_000] ^= flip
            try directory.store(segment(3), other)
        }
        directory.close()
        #expect(archive.names == [file(3), "diverged"])
        #expect(archive.aside.count == 3)
        #expect(archive.aside.allSatisfy { $0.hasPrefix("\(file(3)).") })
    }

    @Test("is open to the group if its files are")
    func groupAccess() throws {
        try archive.putSegment(file(3), bytes: [UInt8](repeating: 1, count: 1 << 20))
        let directory = WALDirectory(archive.path)
        _ = try directory.open(TestArchive.origin(fileMode: 0o640))
        try directory.store(segment(3))
        directory.close()
        #expect(try FileTree.mode("\(archive.path)/diverged") == 0o750)
        #expect(try archive.mode(file(3)) == 0o640)
    }
}
