import Testing
import UnderstudyBackupFormat
import UnderstudyPlatform
import UnderstudyTestSupport

@testable import UnderstudyBackup
@testable import UnderstudyCore

@Suite("Feeders that take turns", .timeLimit(.minutes(1)))
struct TurnTests {
    /// A file as its output saw it.
    private struct Seen: Equatable {
        var number: Int
        var content: [UInt8] = []
        var isClosed = false
    }

    private struct NotingOutput: MemberOutput {
        let seen: Monitor<[Seen]>

        func open(_ number: Int, size: UInt64, piece: FilePiece?) {
            seen.change { $0.append(Seen(number: number)) }
        }

        func write(_ bytes: RawSpan) {
            let bytes = bytes.array
            seen.change { $0[$0.count - 1].content += bytes }
        }

        func close() { seen.change { $0[$0.count - 1].isClosed = true } }
        func finish() {}
    }

    /// A writer, and feeders that take turns.
    private final class Row: Sendable {
        let seen = Monitor<[Seen]>([])
        let interrupt = Interrupt()
        let pool: WritePool<NotingOutput>
        let turns: WriteTurns<NotingOutput>
        private let writers: [OwnThread]

        init(feeders: Int) throws {
            pool = WritePool(
                observer: MemberObserver(ledger: Ledger(), algorithm: nil), writers: 1, feeders: feeders,
                makeOutput: { [seen] in NotingOutput(seen: seen) }
            ) {}
            turns = try WriteTurns(pool, feeders: feeders, interrupt: interrupt)
            writers = try pool.start()
        }

        func makeFiller() -> BatchFiller<NotingOutput> { BatchFiller(pool: pool, turns: turns) }

        func close() {
            pool.close()
            for writer in writers { writer.join() }
        }
    }

    /// What is fed in a turn: a part of a file, or whole files.
    private struct Part {
        var number: Int
        var content: [UInt8]
        var isFirst = true
        var isLast = true
    }

    private static func feed(
        _ parts: [Part], _ turn: Int, _ filler: inout BatchFiller<NotingOutput>
    ) throws(UnderstudyError) {
        filler.beginTurn(turn)
        for part in parts {
            if part.isFirst {
                try filler.open(FileToWrite(manifestPath: nil, size: UInt64(part.content.count), place: part.number))
            } else {
                try filler.resume()
            }
            try filler.append(part.content.rawSpan)
            if part.isLast { filler.close() }
        }
        filler.endTurn()
    }

    /// Turns of many small files, of none, and of pieces of large ones.
    private func makeTurns() -> (turns: [[Part]], files: [Seen]) {
        var random = SplitMix64(state: 7), turns: [[Part]] = [], files: [Seen] = []
        func content(_ count: Int) -> [UInt8] { .pattern(count, seed: files.count) }
        for _ in 0..<16 {
            var turn: [Part] = []
            switch random.next() % 4 {
            case 0:
                let large = content(9_000_000 + Int(random.next() % 3_000_000)), size = 4 << 20
                for start in stride(from: 0, to: large.count, by: size) {
                    let end = min(large.count, start + size)
                    turns.append([
                        Part(
                            number: files.count, content: Array(large[start..<end]), isFirst: start == 0,
                            isLast: end == large.count)
                    ])
                }
                files.append(Seen(number: files.count, content: large, isClosed: true))
                continue
            case 1: break
            default:
                for _ in 0..<random.next() % 40 {
                    let small = content(Int(random.next() % 100_000))
                    turn.append(Part(number: files.count, content: small))
                    files.append(Seen(number: files.count, content: small, isClosed: true))
                }
            }
            turns.append(turn)
        }
        return (turns, files)
    }

    @Test("are fed at once, and written one after another", arguments: [1, 4])
    func order(_ feeders: Int) throws {
        let row = try Row(feeders: feeders), (turns, files) = makeTurns()
        let next = Monitor(0), failures = Monitor<[UnderstudyError]>([])
        let threads = try (0..<feeders).map { _ in
            try OwnThread("feeder") {
                var filler = row.makeFiller()
                while let turn = next.change({ next -> Int? in
                    defer { next += 1 }
                    return next < turns.count ? next : nil
                }) {
                    do throws(UnderstudyError) { try Self.feed(turns[turn], turn, &filler) } catch {
                        return failures.change { $0.append(error) }
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        row.close()
        #expect(failures.read { $0.isEmpty })
        let seen = row.seen.read { $0 }
        #expect(seen.map(\.number) == Array(files.indices))
        #expect(seen == files)
    }

    @Test("leave room to the one whose turn it is, however far ahead they are")
    func share() throws {
        let row = try Row(feeders: 3), large = [UInt8].pattern(12 << 20)
        let threads = try (1...2).map { turn in
            try OwnThread("feeder") {
                var filler = row.makeFiller()
                try? Self.feed([Part(number: turn, content: large)], turn, &filler)
            }
        }
        // These two have all that they may, and wait.
        let ahead = 2 * row.turns.share
        try eventually("those ahead") { row.turns.blocksAhead == ahead }
        var filler = row.makeFiller()
        filler.beginTurn(0)
        try filler.open(FileToWrite(manifestPath: nil, size: UInt64(large.count), place: 0))
        try filler.append(large.rawSpan)
        #expect(row.turns.blocksAhead == ahead)
        filler.close()
        filler.endTurn()
        for thread in threads { thread.join() }
        row.close()
        let seen = row.seen.read { $0 }
        #expect(seen.map(\.number) == [0, 1, 2])
        #expect(seen.allSatisfy { $0.content == large && $0.isClosed })
    }

    @Test("have two blocks each at least, within 24 MiB and 4 MiB for each but the first", arguments: [1, 2, 3, 8, 64])
    func memory(_ feeders: Int) throws {
        let row = try Row(feeders: feeders)
        let blocks = try row.pool.makeBlocks()
        #expect(blocks * (2 << 20) <= (24 << 20) + (feeders - 1) * (4 << 20))
        #expect(row.turns.share >= 2)
        #expect(row.turns.share * feeders + 2 <= blocks)
        row.close()
    }

    @Test("do not wait for a turn that never comes once the run is interrupted")
    func interrupted() throws {
        let row = try Row(feeders: 2), failures = Monitor<[UnderstudyError]>([])
        let thread = try OwnThread("feeder") {
            var filler = row.makeFiller()
            do throws(UnderstudyError) {
                try Self.feed([Part(number: 1, content: .pattern(16 << 20))], 1, &filler)
            } catch { failures.change { $0.append(error) } }
        }
        try eventually("a full share") { row.turns.blocksAhead == row.turns.share }
        row.interrupt.raise()
        thread.join()
        row.close()
        #expect(failures.read { $0.map(\.code) } == [.cancelled])
        #expect(row.seen.read { $0.isEmpty })
    }
}
