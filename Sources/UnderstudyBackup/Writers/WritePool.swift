import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform

/// The writer threads of the base data: they compute the checksums of files and pass them to their outputs.
///
/// All batches of one file go to the same writer, which keeps the files of feeders apart. After a failure, writers only return the blocks of batches.
final class WritePool<Output: MemberOutput & ~Copyable>: Sendable {
    typealias Batch = WriteBatch<Output.Place>

    private struct Lane {
        var batches: [WriteBatch<Output.Place>] = []
        var isBusy = false

        var load: Int { batches.count + (isBusy ? 1 : 0) }
    }

    private struct State {
        var lanes: [Lane]
        var feeders = 0
        var isClosed = false
        var failure: UnderstudyError?
    }

    private let state: Monitor<State>
    private let blocks: BlockPool
    private let observer: MemberObserver
    private let makeOutput: @Sendable () -> Output
    private let interrupt: Interrupt?
    private let onFailure: @Sendable () -> Void

    /// 24 MiB: two blocks for each writer, and the rest to fill meanwhile; 4 MiB more for each further feeder.
    private static func blockCount(feeders: Int) -> Int { 12 + 2 * (feeders - 1) }
    private let blockSize = 2 << 20
    private let writerCount: Int

    /// - Parameters:
    ///   - observer: Sees every file on its way to the output.
    ///   - writers: One keeps the order of files; with two, large ones overtake others.
    ///   - feeders: How many fill blocks at once.
    ///   - makeOutput: The output of one writer, made on its thread.
    ///   - interrupt: Checked before each file.
    init(
        observer: MemberObserver, writers: Int = 2, feeders: Int = 1, makeOutput: @escaping @Sendable () -> Output,
        interrupt: Interrupt? = nil,
        onFailure: @escaping @Sendable () -> Void
    ) {
        writerCount = writers
        state = Monitor(State(lanes: Array(repeating: Lane(), count: writers)))
        blocks = BlockPool(blocks: Self.blockCount(feeders: feeders), blockSize: blockSize)
        self.observer = observer
        self.makeOutput = makeOutput
        self.interrupt = interrupt
        self.onFailure = onFailure
    }

    /// Makes all blocks now. There are fewer than planned where memory is short.
    ///
    /// - Returns: How many there are.
    func makeBlocks() throws(UnderstudyError) -> Int {
        do throws(FileIOError) { return try blocks.makeAll() } catch { throw UnderstudyError(error) }
    }

    /// Starts the writers; each ends after ``close()``. If not all threads can be created, the others do the work.
    ///
    /// - Throws: If no thread can be created.
    func start() throws(UnderstudyError) -> [OwnThread] {
        var writers: [OwnThread] = []
        do throws(FileIOError) {
            for lane in 0..<writerCount { writers.append(try OwnThread("writer") { self.run(lane) }) }
        } catch {
            if writers.isEmpty { throw UnderstudyError(error) }
            state.update { $0.lanes.removeLast(writerCount - writers.count) }
        }
        return writers
    }

    // MARK: - For the network threads

    /// A number for one more feeder, from 0.
    func addFeeder() -> Int {
        state.change { state in
            defer { state.feeders += 1 }
            return state.feeders
        }
    }

    /// Waits for a free block, and returns an empty batch with it.
    ///
    /// A large file goes to the writer with the least work. Small files all go to one writer: two that create files in
    /// the same directory mostly wait for each other.
    func newBatch(of feeder: Int, isLarge: Bool) throws(UnderstudyError) -> Batch {
        while true {
            try throwFailure()
            // Writers return blocks even after a failure, so only the disk can cause a wait.
            let taken: Block?
            do throws(FileIOError) { taken = try blocks.take(timeout: .seconds(1)) } catch {
                throw UnderstudyError(error)
            }
            if let block = taken {
                guard isLarge else { return Batch(block: block, writer: 0, feeder: feeder) }
                let writer = state.read { state in
                    state.lanes.indices.min { state.lanes[$0].load < state.lanes[$1].load } ?? 0
                }
                return Batch(block: block, writer: writer, feeder: feeder)
            }
        }
    }

    /// A batch that goes on with the open file of a full one.
    func nextBatch(after full: Batch) throws(UnderstudyError) -> Batch {
        var batch = try newBatch(of: full.feeder, isLarge: true)
        batch.writer = full.writer
        return batch
    }

    func submit(_ batch: Batch) {
        state.update { $0.lanes[batch.writer].batches.append(batch) }
    }

    /// Waits until everything submitted is written.
    func drain() throws(UnderstudyError) {
        state.wait { state -> Void? in
            state.failure != nil || state.lanes.allSatisfy { $0.batches.isEmpty && !$0.isBusy } ? () : nil
        }
        try throwFailure()
    }

    /// Ends the writers once they have written what was submitted.
    func close() {
        state.update { $0.isClosed = true }
    }

    /// Why a writer failed, if one did.
    var failure: UnderstudyError? { state.read { $0.failure } }

    private func throwFailure() throws(UnderstudyError) {
        if let failure { throw failure }
    }

    // MARK: - On a writer thread

    private func run(_ lane: Int) {
        do throws(BackupFormatError) {
            var writers = [0: try makeWriter()]
            while let batch = next(lane) {
                defer { blocks.give(back: batch.block) }
                guard state.read({ $0.failure == nil }) else { continue }
                let writer = if let known = writers[batch.feeder] { known } else { try makeWriter() }
                writers[batch.feeder] = writer
                do throws(UnderstudyError) { try writer.perform(batch) } catch { fail(error) }
            }
            guard state.read({ $0.failure == nil }) else { return }
            do throws(UnderstudyError) { for (_, writer) in writers { try writer.finish() } } catch { fail(error) }
        } catch {
            fail(UnderstudyError(error))
            while let batch = next(lane) { blocks.give(back: batch.block) }
        }
    }

    private func makeWriter() throws(BackupFormatError) -> FileWriter<Output> {
        FileWriter(digest: try observer.makeDigest(), output: makeOutput(), interrupt: interrupt)
    }

    private func fail(_ error: UnderstudyError) {
        state.update { if $0.failure == nil { $0.failure = error } }
        onFailure()
    }

    private func next(_ lane: Int) -> Batch? {
        state.update { $0.lanes[lane].isBusy = false }
        return state.wait { state -> Batch?? in
            if !state.lanes[lane].batches.isEmpty {
                state.lanes[lane].isBusy = true
                return .some(state.lanes[lane].batches.removeFirst())
            }
            return state.isClosed ? .some(nil) : nil
        } ?? nil
    }
}
