import Testing
import UnderstudyTestSupport

@testable import UnderstudyPlatform

@Suite("Blocks on their way between two threads")
struct BlockPipeTests {
    private func pipe() -> BlockPipe<FileIOError> { BlockPipe(blocks: 2, blockSize: 4096) }

    @Test("what is sent comes in order, and then the end", arguments: [true, false])
    func order(isSound: Bool) throws {
        let pipe = pipe(), failure = FileIOError("could not read file", "x", number: 5)
        let filler = try OwnThread("filler") {
            for number in 0..<100 as Range<UInt8> {
                guard let block = try? pipe.take(), block.append([number].raw) == 1, pipe.send(block) else { return }
            }
            pipe.end(isSound ? .success(()) : .failure(failure))
        }
        var seen: [UInt8] = []
        func receive() throws {
            while let block = try pipe.next() {
                seen.append(unsafe block.bytes.unsafeLoad(as: UInt8.self))
                pipe.give(back: block)
            }
        }
        if isSound { try receive() } else { #expect(throws: FileIOError.self) { try receive() } }
        filler.join()
        #expect(seen == Array(0..<100))
    }

    @Test("a filler that waits for a block ends when the pipe is closed", .timeLimit(.minutes(1)))
    func closed() throws {
        let pipe = pipe(), sent = Locked(0)
        let filler = try OwnThread("filler") {
            while let block = try? pipe.take(), pipe.send(block) { sent.withLock { $0 += 1 } }
        }
        // One is in use, the other one is on its way: there is none for the filler.
        let block = try #require(try pipe.next())
        try eventually("a full pipe") { sent.withLock { $0 } == 2 }
        pipe.close()
        filler.join()
        #expect(sent.withLock { $0 } == 2 && block.count == 0)
    }
}
