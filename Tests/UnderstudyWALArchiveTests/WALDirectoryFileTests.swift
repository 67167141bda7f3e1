import Testing
import UnderstudyCompression
import UnderstudyPlatform
import UnderstudyStreaming
import UnderstudyTestSupport
import UnderstudyWAL

@testable import UnderstudyWALArchive

@Suite("The files of a WAL directory")
struct WALDirectoryFileTests {
    private let archive: TestArchive
    private let content = [UInt8].wal(of: segment(3))

    init() throws {
        archive = try TestArchive()
    }

    /// Without what the preparer may be making at this moment.
    private var visible: [String] { archive.names.filter { !$0.hasPrefix(".") } }

    @Test(
        "have their full size from the moment they have a name, zeros behind the data",
        arguments: [true, false], [0o600, 0o640] as [UInt16])
    func plain(_ sync: Bool, _ mode: UInt16) throws {
        let directory = WALDirectory(archive.path, sync: sync)
        _ = try directory.open(TestArchive.origin(fileMode: mode))
        #expect(archive.names == [])
        try directory.begin(segment(3))
        let partial = file(3, ".partial")
        var written = 0
        for end in [0, 40, 8192, 8193, 600_000] {
            try directory.write(content, written..<end)
            written = end
            _ = try directory.sync()
            #expect(visible == [partial])
            #expect(try archive.size(partial) == 1 << 20)
            #expect(Array(content[..<end]).isHeld(in: try archive.content(partial)))
            #expect(try archive.mode(partial) == Int(mode))
        }
        try directory.write(content, written..<content.count)
        #expect(visible == [partial])
        try directory.finish(segment(3))
        _ = try directory.sync()
        #expect(visible == [file(3)])
        #expect(try archive.mode(file(3)) == Int(mode))
        #expect(content.isSame(as: try archive.content(file(3))))
        try directory.store(segment(4))
        directory.close()
        #expect(archive.names == [file(3), file(4)])
    }

    @Test("hold the same where small pieces are written and synced at once", arguments: [true, false])
    func writtenThrough(_ sync: Bool) throws {
        let directory = WALDirectory(archive.path, sync: sync)
        _ = try directory.open(TestArchive.origin())
        try directory.begin(segment(3))
        let partial = file(3, ".partial")
        var written = 0
        for end in [1, 40, 8192, 8193, 70_000, 300_000, 300_001, 600_000, 600_100] {
            try directory.writeToSync(content, written..<end)
            written = end
            let position = segment(3).start.advanced(by: UInt64(end))
            #expect(try directory.sync() == position)
            #expect(directory.written == position)
            #expect(Array(content[..<end]).isHeld(in: try archive.content(partial)))
        }
        directory.close()
        // It begins anew in the file: what is held there and comes once more stays as it is meanwhile.
        _ = try directory.open(TestArchive.origin())
        try directory.begin(segment(3))
        written = 0
        for end in [1, 5000, 9000] {
            try directory.writeToSync(content, written..<end)
            written = end
            _ = try directory.sync()
            #expect(Array(content[..<600_100]).isHeld(in: try archive.content(partial)))
        }
        try directory.writeToSync(content, written..<content.count)
        try directory.finish(segment(3))
        _ = try directory.sync()
        directory.close()
        #expect(content.isSame(as: try archive.content(file(3))))
    }

    @Test("show themselves when the segment before is complete", arguments: Compression.each, [true, false])
    func order(_ compression: Compression, _ sync: Bool) throws {
        let directory = WALDirectory(archive.path, compression: compression, sync: sync)
        let suffix = compression.method.fileSuffix
        _ = try directory.open(TestArchive.origin())
        for number: UInt64 in 3...12 {
            let content = [UInt8].wal(of: segment(number))
            try directory.begin(segment(number))
            // It is finished on another thread, so both may be found.
            if visible.contains(file(number, "\(suffix).partial")), number > 3 {
                #expect(visible.dropLast().last == file(number - 1, suffix))
            }
            try directory.write(content, 0..<300_000)
            if number % 2 == 0 {
                _ = try directory.sync()
                #expect(visible.last == file(number, "\(suffix).partial"))
                #expect(visible == (3..<number).map { file($0, suffix) } + [file(number, "\(suffix).partial")])
            }
            try directory.write(content, 300_000..<content.count)
            try directory.finish(segment(number))
        }
        directory.close()
        #expect(archive.names == (3...12).map { file($0, suffix) })
        for number: UInt64 in 3...12 {
            #expect([UInt8].wal(of: segment(number)).isSame(as: try archive.content(file(number, suffix))))
        }
    }

    @Test("of histories have the mode of all", arguments: Compression.each, [0o600, 0o640] as [UInt16])
    func histories(_ compression: Compression, _ mode: UInt16) throws {
        let directory = WALDirectory(archive.path, compression: compression)
        _ = try directory.open(TestArchive.origin(fileMode: mode))
        let name = "00000002.history\(compression.method.fileSuffix)"
        // A killed program's, half written.
        try archive.put("\(name).tmp", [1, 2])
        try directory.putHistory(TimelineID(rawValue: 2), TestArchive.history([1: 0x350000]))
        #expect(archive.names == [name])
        #expect(try archive.mode(name) == Int(mode))
        #expect(try archive.content(name) == TestArchive.history([1: 0x350000]))
    }

    @Test("hold a history that differs only beside the one that was there")
    func differentHistory() throws {
        try archive.put("00000002.history", TestArchive.history([1: 0x350000]))
        let directory = WALDirectory(archive.path)
        _ = try directory.open(TestArchive.origin())
        try directory.putHistory(TimelineID(rawValue: 2), TestArchive.history([1: 0x360000]))
        #expect(archive.names == ["00000002.history", "diverged"])
        #expect(archive.asideNames == ["00000002.history"])
        #expect(try archive.content("00000002.history") == TestArchive.history([1: 0x360000]))
        #expect(try archive.firstAside() == TestArchive.history([1: 0x350000]))
    }

    // MARK: - What is acknowledged

    @Test(
        "without sync are acknowledged when they are written, if the server relies on it",
        arguments: Compression.each)
    func acknowledgementOfWritten(_ compression: Compression) throws {
        let directory = WALDirectory(archive.path, compression: compression, sync: false)
        _ = try directory.open(TestArchive.origin(relies: true))
        try directory.begin(segment(3))
        try directory.write(content, 0..<content.count)
        #expect(try directory.sync() == segment(3).end)
        try directory.finish(segment(3))
        #expect(try directory.sync() == segment(3).end)
    }

    @Test("without sync are not acknowledged if nobody relies on it", arguments: Compression.each)
    func noAcknowledgement(_ compression: Compression) throws {
        let directory = WALDirectory(archive.path, compression: compression, sync: false)
        _ = try directory.open(TestArchive.origin(relies: false))
        try directory.store(segment(3))
        #expect(try directory.sync() == nil)
    }

    // MARK: - The file prepared for the next segment

    @Test("are prepared ahead: of full size, zeros, and with their mode")
    func preparation() throws {
        let directory = try ConfinedDirectory(path: archive.path), preparer = SegmentPreparer()
        #expect(!preparer.take())
        preparer.prepare(size: 1 << 20, in: directory, mode: 0o640)
        preparer.prepare(size: 1 << 20, in: directory, mode: 0o640)
        #expect(preparer.take())
        #expect(archive.names == [".understudy-next"])
        #expect(try archive.bytes(".understudy-next").isSame(as: [UInt8](repeating: 0, count: 1 << 20)))
        #expect(try archive.mode(".understudy-next") == 0o640)
        #expect(!preparer.take())
        // One that nobody used is made anew.
        try archive.put(".understudy-next", [1])
        preparer.prepare(size: 1 << 20, in: directory, mode: 0o600)
        #expect(preparer.take())
        #expect(try archive.bytes(".understudy-next").isSame(as: [UInt8](repeating: 0, count: 1 << 20)))
    }

    @Test("that were prepared are used for the next segment")
    func prepared() throws {
        let directory = WALDirectory(archive.path)
        _ = try directory.open(TestArchive.origin())
        for number: UInt64 in 3...5 {
            try directory.begin(segment(number))
            // Taken, it would still be there if it had not got this name.
            #expect(!archive.names.contains(".understudy-next"))
            #expect(try archive.size(file(number, ".partial")) == 1 << 20)
            let content = [UInt8].wal(of: segment(number))
            try directory.write(content, 0..<1000)
            _ = try directory.sync()
            try directory.write(content, 1000..<content.count)
            try directory.finish(segment(number))
            #expect(try directory.sync() == segment(number).end)
            #expect(content.isSame(as: try archive.content(file(number))))
        }
        directory.close()
        #expect(archive.names == [file(3), file(4), file(5)])
    }

    @Test("that were prepared and not used are removed", arguments: [false, true])
    func unused(_ isKnown: Bool) throws {
        try archive.putSegment(file(4, ".partial"), upTo: 5000)
        let directory = WALDirectory(archive.path)
        _ = try directory.open(TestArchive.origin())
        try directory.begin(segment(3))
        try directory.write(content, 0..<1000)
        _ = try directory.sync()
        // That one has a file already.
        if isKnown { try directory.begin(segment(4)) }
        directory.close()
        #expect(archive.names == [file(3, ".partial"), file(4, ".partial")])
    }

    @Test("that a killed run was about to write are removed, and nothing else")
    func leftovers() throws {
        for name in [".understudy-new", ".understudy-next", ".understudy-rewritten", ".hidden", "understudy"] {
            try archive.put(name, [1])
        }
        _ = try WALDirectory(archive.path).open(TestArchive.origin())
        #expect(archive.names == [".hidden", "understudy"])
    }
}
