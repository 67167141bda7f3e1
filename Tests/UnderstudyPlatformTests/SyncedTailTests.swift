import Glibc
import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

@Suite("Small pieces that are written and synced at once")
struct SyncedTailTests {
    private static let size = 1 << 20

    @Test("follow each other, whatever is written in another way between them", arguments: 0..<8)
    func pieces(_ seed: Int) throws {
        let path = try TestDirectory.makeOnDisk("tail"), directory = try ConfinedDirectory(path: path)
        try directory.createFile("file", mode: 0o600).fillWithZeros(0..<Int64(Self.size), path: path)
        let file = try directory.openFile("file", flags: O_RDWR)
        guard let direct = try directory.openDirect("file") else { return }
        var tail = try SyncedTail()
        var random = SplitMix64(state: UInt64(seed))
        let content = [UInt8].pattern(Self.size, seed: seed)
        var done = 0, writtenThrough = 0
        while done < Self.size {
            let longest = [1, 600, 8192, 200_000].randomElement(using: &random)!
            let end = min(Self.size, done + Int.random(in: 1...longest, using: &random))
            let bytes = content.raw.extracting(done..<end)
            var isDone = false
            if Int.random(in: 0..<8, using: &random) > 0 {
                isDone = try tail.write(bytes, at: Int64(done), to: direct, of: file, path: path)
            }
            if isDone { writtenThrough += 1 } else { try file.write(bytes, at: Int64(done), path: path) }
            done = end
            let found = try directory.read("file", atMost: Self.size + 1)
            let isRight = found == content[..<done] + [UInt8](repeating: 0, count: Self.size - done)
            try #require(isRight, "up to \(done)")
        }
        #expect(writtenThrough > 0)
    }

    @Test("are left to others where they are too long")
    func long() throws {
        let path = try TestDirectory.makeOnDisk("tail"), directory = try ConfinedDirectory(path: path)
        let file = try directory.createFile("file", mode: 0o600)
        guard let direct = try directory.openDirect("file") else { return }
        var tail = try SyncedTail()
        let bytes = [UInt8](repeating: 1, count: SyncedTail.limit + 1)
        #expect(try !tail.write(bytes.raw, at: 0, to: direct, of: file, path: path))
        #expect(try directory.sizeAndMode(of: "file").size == 0)
    }
}
