import UnderstudyBackupFormat
import UnderstudyCore
import UnderstudyPlatform

/// One step of a writer's work on a batch.
enum WriteCommand: Sendable {
    case open(FileToWrite)
    /// Bytes of the batch's block for the open file.
    case data(Range<Int>)
    case close
}

/// A file to be written.
struct FileToWrite: Sendable {
    var directory: ConfinedDirectory
    var relative: RelativePath
    /// Its path in the backup manifest, relative to the data directory.
    var manifestPath: MemberPath
    var mode: UInt16
    var size: UInt64
    /// Whether it must be on stable storage before it is closed.
    var sync: Bool
}

/// A block and the commands for its bytes. Many small files share a block; a large file continues in the next.
struct Batch: Sendable {
    var block: Block
    var commands: [WriteCommand] = []
    var writer: Int

    /// Empty files take no space in the block: this bounds the list.
    static let mostCommands = 1024
}

/// The writer threads of the base data: they create the files, compute their checksums, and write them.
///
/// All batches of one file go to the same writer. After a failure, writers only return the blocks of batches.
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

    /// 24 MiB: two blocks for each writer, and the rest to fill meanwhile.
    private static let blockCount = 12
    private static let blockSize = 2 << 20
    static let writers = 2

    /// - Parameter interrupt: Checked before each file.
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

    /// Starts the writers; each ends after ``close()``. If not all threads can be created, the others do the work.
    ///
    /// - Throws: If no thread can be created.
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

    /// Waits for a free block, and returns an empty batch with it.
    ///
    /// A large file goes to the writer with the least work. Small files all go to one writer: two that create files in
    /// the same directory mostly wait for each other.
    func newBatch(isLarge: Bool) throws(UnderstudyError) -> Batch {
        while true {
            try throwFailure()
            // Writers return blocks even after a failure, so only the disk can cause a wait.
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

    /// A batch for the writer of the open file.
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

    /// Ends the writers once they have written what was submitted.
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

/// A writer's open file and its running checksum.
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
            // A batch may have a thousand files, and syncing each may take a while.
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
        // Without a checksum, the file will not match the manifest.
        checksum = try? digest.finish()
        ledger.record(target.manifestPath, size: target.size, checksum: checksum)
        self.target = nil
    }
}
