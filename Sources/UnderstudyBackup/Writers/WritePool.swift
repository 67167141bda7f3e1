import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform

/// What a writer does with one batch, in order.
enum WriteCommand: Sendable {
    case open(FileToWrite)
    /// Bytes of the batch's block for the file that is open.
    case data(Range<Int>)
    case close
}

/// A file that will be written.
struct FileToWrite: Sendable {
    var directory: ConfinedDirectory
    var relative: RelativePath
    /// As the backup manifest names it, relative to the data directory.
    var manifestPath: MemberPath
    var mode: UInt16
    var size: UInt64
    /// Whether it must be on stable storage before it is closed.
    var sync: Bool
}

/// A block, and what is to be done with its bytes. Many small files share one; a large file goes on in the next.
struct Batch: Sendable {
    var block: Block
    var commands: [WriteCommand] = []
    var writer: Int

    /// Files without content take no room in the block: this bounds the list.
    static let mostCommands = 1024
}

/// The writer threads of the base data: they make the files, compute their checksums, and write them.
///
/// All batches of one file go to the same writer. After a failure, which is told once, batches are only
/// given back.
final class WritePool: Sendable {
    private struct Lane {
        var batches: [Batch] = []
        var isBusy = false

        var load: Int { batches.count + (isBusy ? 1 : 0) }
    }

    private struct State {
        var lanes: [Lane]
        var isClosed = false
        var failure: UnderstudyError?
    }

    private let state: Monitor<State>
    private let blocks: BlockPool
    private let ledger: Ledger
    private let algorithm: ChecksumAlgorithm?
    private let interrupt: Interrupt?
    private let onFailure: @Sendable () -> Void

    /// 24 MiB: two blocks for each writer to work on, and some to fill meanwhile.
    private static let blockCount = 12
    private static let blockSize = 2 << 20
    static let writers = 2

    /// - Parameter interrupt: Looked at before each file.
    init(
        ledger: Ledger, algorithm: ChecksumAlgorithm?, interrupt: Interrupt? = nil,
        onFailure: @escaping @Sendable () -> Void
    ) {
        state = Monitor(State(lanes: Array(repeating: Lane(), count: Self.writers)))
        blocks = BlockPool(blocks: Self.blockCount, blockSize: Self.blockSize)
        self.ledger = ledger
        self.algorithm = algorithm
        self.interrupt = interrupt
        self.onFailure = onFailure
    }

    /// Starts the writers; each ends after ``close()``. Where not all threads can be had, those that can do the work.
    ///
    /// - Throws: Where there is none.
    func start() throws(UnderstudyError) -> [OwnThread] {
        var writers: [OwnThread] = []
        do throws(FileIOError) {
            for lane in 0..<Self.writers { writers.append(try OwnThread("writer") { self.run(lane) }) }
        } catch {
            if writers.isEmpty { throw UnderstudyError(error) }
            state.update { $0.lanes.removeLast(Self.writers - writers.count) }
        }
        return writers
    }

    // MARK: - For the network thread

    /// An empty batch; waits for a block.
    ///
    /// A large file goes to the writer that has least to do. Small files all go to one: two that make files in the
    /// same directory mostly wait for each other.
    func newBatch(isLarge: Bool) throws(UnderstudyError) -> Batch {
        while true {
            try throwFailure()
            // Writers give blocks back even after a failure, so the wait is for the disk alone.
            let taken: Block?
            do throws(FileIOError) { taken = try blocks.take(timeout: .seconds(1)) } catch {
                throw UnderstudyError(error)
            }
            if let block = taken {
                guard isLarge else { return Batch(block: block, writer: 0) }
                let writer = state.read { state in
                    state.lanes.indices.min { state.lanes[$0].load < state.lanes[$1].load } ?? 0
                }
                return Batch(block: block, writer: writer)
            }
        }
    }

    /// A batch for the writer that has the open file.
    func nextBatch(for writer: Int) throws(UnderstudyError) -> Batch {
        var batch = try newBatch(isLarge: true)
        batch.writer = writer
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

    /// No more batches come.
    func close() {
        state.update { $0.isClosed = true }
    }

    func throwFailure() throws(UnderstudyError) {
        if let failure = state.read({ $0.failure }) { throw failure }
    }

    // MARK: - On a writer thread

    private func run(_ lane: Int) {
        do throws(BackupFormatError) {
            var writer = FileWriter(digest: try FileDigest(algorithm), ledger: ledger, interrupt: interrupt)
            while let batch = next(lane) {
                if state.read({ $0.failure == nil }) {
                    do throws(UnderstudyError) { try writer.perform(batch) } catch { fail(error) }
                }
                blocks.give(back: batch.block)
            }
        } catch {
            fail(UnderstudyError(error))
            while let batch = next(lane) { blocks.give(back: batch.block) }
        }
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

/// One writer's file, from its first byte to its last.
private struct FileWriter: ~Copyable {
    private var digest: FileDigest
    private let ledger: Ledger
    private let interrupt: Interrupt?
    private var file: OutputFile?
    private var target: FileToWrite?

    init(digest: consuming FileDigest, ledger: Ledger, interrupt: Interrupt?) {
        self.digest = digest
        self.ledger = ledger
        self.interrupt = interrupt
    }

    mutating func perform(_ batch: Batch) throws(UnderstudyError) {
        do throws(FileIOError) {
            // A batch may hold a thousand files, and the sync of each take a while.
            try checkInterrupt()
            for command in batch.commands {
                switch command {
                case .open(let target):
                    try checkInterrupt()
                    file = try OutputFile(
                        in: target.directory, target.relative, mode: target.mode, size: target.size)
                    self.target = target
                    digest.reset()
                case .data(let range):
                    let bytes = batch.block.bytes.extracting(range)
                    digest.update(bytes)
                    try file?.write(bytes)
                case .close:
                    try close()
                }
            }
        } catch { throw UnderstudyError(error) }
    }

    private func checkInterrupt() throws(FileIOError) {
        if let interrupt, interrupt.isRaised { throw .interrupted(target?.directory.path ?? "") }
    }

    private mutating func close() throws(FileIOError) {
        guard let target else { return }
        try checkInterrupt()
        try file.take()?.finish(sync: target.sync)
        let checksum: FileChecksum?
        // A digest that fails leaves the file without a checksum, which the manifest will not agree with.
        checksum = try? digest.finish()
        ledger.record(target.manifestPath, size: target.size, checksum: checksum)
        self.target = nil
    }
}
