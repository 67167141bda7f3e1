import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

@Suite("Holes in output files")
struct HoleTests {
    /// What a file consists of, by numbers of bytes.
    enum Part: Sendable {
        case data(Int), zeros(Int)
    }

    struct Content: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var parts: [Part]
        /// The bytes that lie in holes.
        var holes: Int

        init(_ description: String, _ parts: [Part], holes: Int) {
            testDescription = description
            self.parts = parts
            self.holes = holes
        }

        var bytes: [UInt8] {
            // Not as long as a page, so that no two pages are equal; without zeros at its ends.
            let data = [1] + [UInt8].pattern(4097) + [1]
            return parts.reduce(into: []) { bytes, part in
                switch part {
                case .data(let count):
                    let rest = count % data.count
                    bytes += data.repeated(upTo: count - rest)
                    bytes += data.suffix(rest)
                case .zeros(let count): bytes += .zeros(count)
                }
            }
        }
    }

    private static let page = 4096, mega = 1 << 20, long = 16 << 20

    static let contents = [
        Content("as long as a run has to be", [.data(page), .zeros(long), .data(page)], holes: long),
        Content("a page too short", [.data(2 * page), .zeros(long - page), .data(page)], holes: 0),
        Content("at the beginning", [.zeros(long), .data(page)], holes: long),
        Content("at the end", [.data(page), .zeros(long)], holes: long),
        Content("at the end, with half a page", [.data(page), .zeros(long + mega + 123)], holes: long + mega + 123),
        Content("nothing else", [.zeros(long)], holes: long),
        Content("nothing else, and a byte", [.zeros(long + 1)], holes: long + 1),
        Content("too short at the end, with half a page", [.data(15 * mega), .zeros(2 * mega + 5)], holes: 0),
        Content("from block to block", [.data(2 * mega), .zeros(long), .data(2 * mega)], holes: long),
        Content(
            "from within a block into another", [.data(mega + page), .zeros(long + mega), .data(9)], holes: long + mega),
        Content("too short by one byte in it", [.zeros(long - page), .data(1), .zeros(long - 1)], holes: 0),
        Content("two with a byte between them", [.zeros(long), .data(1), .zeros(long + page - 1)], holes: 2 * long),
        Content("in the middle of a page", [.data(100), .zeros(long + 2 * page), .data(5)], holes: long + page),
        Content("too short for whole pages", [.data(100), .zeros(long), .data(5)], holes: 0),
        Content(
            "short ones everywhere",
            [.data(2 * mega - page)] + (0..<8).flatMap { [.zeros(mega + $0 * page), .data(mega + 7 * page)] }, holes: 0),
    ]

    /// Writes a file as a writer does, a block after the other, and expects its bytes, and that holes take no room.
    private func check(
        _ content: Content, blockSize: Int = 2 << 20, in path: String, leavesHoles: Bool = true
    ) throws {
        let directory = try ConfinedDirectory(path: path)
        let bytes = content.bytes
        var file = try OutputFile(
            in: directory, "file", mode: 0o600, size: UInt64(bytes.count), leavesHoles: leavesHoles)
        let block = try Block(capacity: blockSize)
        var done = 0
        while done < bytes.count {
            done += block.append(bytes.raw.extracting(done...))
            try file.write(block.bytes)
            block.clear()
        }
        try file.finish(sync: true)
        // Before it is read: in memory, holes that are read may get room.
        let allocated = try FileTree.allocated("\(path)/file")
        let written = bytes.count - (leavesHoles ? content.holes : 0)
        #expect(allocated >= written && allocated < written + 2 * Self.mega, "\(allocated) bytes for \(written)")
        #expect(try same(directory.read("file", atMost: bytes.count + 1), bytes))
        try directory.remove("file")
    }

    @Test("stand for runs of zeros that are long enough", arguments: contents)
    func direct(_ content: Content) throws {
        try check(content, in: TestDirectory.makeOnDisk("holes"))
    }

    @Test("do so however the bytes are cut", arguments: [64 << 10, 40 << 20])
    func pieces(_ blockSize: Int) throws {
        let path = try TestDirectory.makeOnDisk("holes")
        for content in [Self.contents[0], Self.contents[4], Self.contents[10], Self.contents[11]] {
            try check(content, blockSize: blockSize, in: path)
        }
    }

    @Test(
        "do so through the page cache", .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"),
        arguments: contents)
    func cached(_ content: Content) throws {
        try check(content, in: try MountedFileSystem(.ram).path)
    }

    @Test("are not left unless they are asked for")
    func off() throws {
        try check(Self.contents[0], in: TestDirectory.makeOnDisk("holes"), leavesHoles: false)
    }

    @Test("take no room where there is none", .enabled(if: MountedFileSystem.isAllowed, "nothing can be mounted here"))
    func room() throws {
        let fileSystem = try MountedFileSystem(.small(bytes: 4 << 20))
        try check(Self.contents[9], in: fileSystem.path)
        #expect(throws: FileIOError.self) { try check(Self.contents[9], in: fileSystem.path, leavesHoles: false) }
    }
}
