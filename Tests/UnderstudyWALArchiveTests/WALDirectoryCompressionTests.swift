import Testing
import UnderstudyCompression
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

@Suite("A compressed WAL directory")
struct WALDirectoryCompressionTests {
    static let methods = Compression.each.filter { $0 != .none }

    private let archive: TestArchive
    private let content = [UInt8].wal(of: segment(3))

    init() throws {
        archive = try TestArchive()
    }

    private func partial(_ compression: Compression) -> String { file(3, compression.method.fileSuffix + ".partial") }

    @Test("has files that the programs of its methods accept", arguments: methods, [true, false])
    func programs(_ compression: Compression, _ sync: Bool) throws {
        let directory = WALDirectory(archive.path, compression: compression, sync: sync)
        _ = try directory.open(TestArchive.origin(fileMode: 0o640))
        try directory.begin(segment(3))
        #expect(archive.names == [partial(compression)])
        #expect(try archive.mode(partial(compression)) == 0o640)
        try directory.writeInPieces(content, 0..<500_000)
        _ = try directory.sync()
        try directory.writeInPieces(content, 500_000..<content.count)
        _ = try directory.sync()
        #expect(archive.names == [partial(compression)])
        try directory.finish(segment(3))
        directory.close()
        let name = file(3, compression.method.fileSuffix)
        #expect(archive.names == [name])
        #expect(try archive.mode(name) == 0o640)
        let program = try #require(compression.method)
        try Program.check("/usr/bin/\(program)", ["-t", "\(archive.path)/\(name)"], asCaller: true)
    }

    @Test("has all that was acknowledged when it is killed", arguments: methods)
    func killed(_ compression: Compression) throws {
        var directory: WALDirectory? = WALDirectory(archive.path, compression: compression)
        _ = try directory!.open(TestArchive.origin())
        try directory!.begin(segment(3))
        try directory!.write(content, 0..<300_001)
        #expect(try directory!.sync() == LSN(rawValue: 0x300000 + 300_001))
        try directory!.write(content, 300_001..<300_100)
        directory = nil
        #expect(try archive.content(partial(compression))?.isSame(as: Array(content[..<300_001])) == true)
        let holdings = try WALDirectory(archive.path, compression: compression).open(TestArchive.origin())
        #expect(holdings.withoutTail == WALHoldings(next: position(1, 0x300000), isDurable: true))
    }

    @Test("takes a partial segment written again for the older one when it holds as much", arguments: methods)
    func rewritten(_ compression: Compression) throws {
        let name = partial(compression)
        try archive.putSegment(name, upTo: 300_000)
        let before = try archive.bytes(name)
        var directory: WALDirectory? = WALDirectory(archive.path, compression: compression)
        _ = try directory!.open(TestArchive.origin())
        try directory!.begin(segment(3))
        try directory!.write(content, 0..<299_999)
        // All of that is in the older one.
        #expect(try directory!.sync() == LSN(rawValue: 0x300000 + 299_999))
        #expect(try archive.bytes(name) == before)
        #expect(archive.names == [".understudy-rewritten", name])
        directory = nil
        #expect(try archive.bytes(name) == before)

        directory = WALDirectory(archive.path, compression: compression)
        #expect(try directory!.open(TestArchive.origin()).next == position(1, 0x300000))
        #expect(archive.names == [name])
        try directory!.begin(segment(3))
        try directory!.write(content, 0..<300_000)
        _ = try directory!.sync()
        try directory!.write(content, 300_000..<300_001)
        #expect(try directory!.sync() == LSN(rawValue: 0x300000 + 300_001))
        directory = nil
        #expect(archive.names == [name])
        #expect(try archive.content(name)?.isSame(as: Array(content[..<300_001])) == true)
    }

    @Test(
        "never gives up a partial segment for one that is written again and holds less",
        arguments: methods, [true, false])
    func shorter(_ compression: Compression, _ sync: Bool) throws {
        let name = partial(compression)
        try archive.putSegment(name, upTo: 300_000)
        let before = try archive.bytes(name)
        let directory = WALDirectory(archive.path, compression: compression, sync: sync)
        _ = try directory.open(TestArchive.origin())
        try directory.begin(segment(3))
        try directory.write(content, 0..<200_000)
        _ = try directory.sync()
        try directory.suspend()
        #expect(archive.names == [name])
        #expect(try archive.bytes(name) == before)
    }

    @Test("takes a damaged partial segment for what can be read of it", arguments: methods)
    func damagedPartial(_ compression: Compression) throws {
        let name = partial(compression)
        try archive.putSegment(name, upTo: 600_000)
        let bytes = try archive.bytes(name)
        try archive.put(name, Array(bytes[..<(bytes.count / 2)]) + [UInt8](repeating: 0xA5, count: 100_000))
        let directory = WALDirectory(archive.path, compression: compression)
        let holdings = try directory.open(TestArchive.origin())
        #expect(holdings.withoutTail == WALHoldings(next: position(1, 0x300000), isDurable: true))
        try directory.begin(segment(3))
        try directory.write(content, 0..<600_000)
        _ = try directory.sync()
        #expect(archive.names == [name])
        #expect(try archive.content(name)?.isSame(as: Array(content[..<600_000])) == true)
    }

    @Test("is compressed as much as its level says", arguments: Compression.Method.allCases)
    func level(_ method: Compression.Method) throws {
        // Words with much in common, which only some effort finds.
        var text: [UInt8] = []
        var number: UInt64 = 1
        while text.count < 1 << 20 {
            number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            text += "INSERT INTO accounts VALUES (\(number >> 48), 'name \(number >> 40 & 0xFF)');".utf8
        }
        text.removeSubrange((1 << 20)...)
        var sizes: [Int] = []
        for level in [1, 9] {
            let compression: Compression =
                switch method {
                case .gzip: .gzip(level: level)
                case .lz4: .lz4(level: level)
                case .zstd: .zstd(level: level)
                }
            let archive = try TestArchive(), directory = WALDirectory(archive.path, compression: compression)
            _ = try directory.open(TestArchive.origin())
            try directory.store(segment(3), text)
            directory.close()
            sizes.append(try archive.size(file(3, compression.method.fileSuffix)))
        }
        #expect(sizes[1] < sizes[0])
    }

    @Test("says so if there is no such level")
    func unknownLevel() throws {
        let directory = WALDirectory(archive.path, compression: .gzip(level: 10))
        _ = try directory.open(TestArchive.origin())
        let error = #expect(throws: WALDestinationError.self) { try directory.begin(segment(3)) }
        #expect(error?.message == "compression level 10 is outside of the range of gzip (1 to 9)")
        #expect(error?.isTemporary == false)
        #expect(archive.names == [])
    }

    @Test("may follow one of another kind, whose files stay", arguments: Compression.each, Compression.each)
    func handOver(_ old: Compression, _ new: Compression) throws {
        let first = WALDirectory(archive.path, compression: old)
        _ = try first.open(TestArchive.origin())
        try first.store(segment(2))
        try first.begin(segment(3))
        try first.write(content, 0..<300_000)
        try first.suspend()
        first.close()
        let second = WALDirectory(archive.path, compression: new)
        #expect(
            try second.open(TestArchive.origin()).withoutTail
                == WALHoldings(next: position(1, 0x300000), isDurable: true))
        try second.store(segment(3))
        second.close()
        var names = [file(2, old.method.fileSuffix), file(3, new.method.fileSuffix)]
        // What it holds is in the complete one now.
        if old != new { names.append(file(3, old.method.fileSuffix + ".partial")) }
        #expect(archive.names == names.sorted())
        let next = try WALDirectory(archive.path, compression: old).open(TestArchive.origin())
        #expect(next.withoutTail == WALHoldings(next: position(1, 0x400000), isDurable: true))
    }
}
