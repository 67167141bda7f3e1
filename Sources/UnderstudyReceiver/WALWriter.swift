package import UnderstudyFileIO
import UnderstudyWAL

/// Writes WAL segments into a directory on a thread of its own, as pg_basebackup leaves them: whole files under
/// their final names, zeros behind the last byte received, and `archive_status/NAME.done` for finished ones.
package final class WALWriter: Sendable {
    /// A piece of WAL on its way to the disk.
    struct Piece: Sendable {
        var block: Block
        var segment: WALSegmentName
        var offset: Int
    }

    private enum Job: Sendable {
        case write(Piece)
        case sync(LSN)
        case history(String, [UInt8])
    }

    private struct State {
        var jobs: [Job] = []
        var isClosed = false
        var synced = LSN.invalid
        var failure: FileIOError?
    }

    private let state = Monitor(State())
    private let directory: ConfinedDirectory
    private let fileMode: UInt16
    private let syncs: Bool
    private let pool: BlockPool
    /// Raised when `synced` or `failure` has changed.
    let progress = Interrupt()

    package static let blockSize = 1 << 20

    /// - Parameters:
    ///   - directory: pg_wal, with `archive_status` in it.
    ///   - syncs: Whether a sync reaches stable storage.
    package init(directory: ConfinedDirectory, fileMode: UInt16, syncs: Bool) {
        self.directory = directory
        self.fileMode = fileMode
        self.syncs = syncs
        // WAL has blocks of its own: base data on a slow disk must not starve it into wal_sender_timeout.
        pool = BlockPool(blocks: 4, blockSize: Self.blockSize)
    }

    func start() -> OwnThread {
        OwnThread("wal writer") { self.run() }
    }

    // MARK: - For the network thread

    func takeBlock(timeout: Duration) -> Block? {
        pool.take(timeout: timeout)
    }

    func write(_ piece: Piece) {
        state.update { $0.jobs.append(.write(piece)) }
    }

    func sync(upTo position: LSN) {
        state.update { $0.jobs.append(.sync(position)) }
    }

    func putHistory(_ name: String, _ bytes: [UInt8]) {
        state.update { $0.jobs.append(.history(name, bytes)) }
    }

    /// No more jobs come; the thread ends when the last one is done.
    func close() {
        state.update { $0.isClosed = true }
    }

    /// How far everything is synced.
    func synced() throws(FileIOError) -> LSN {
        let (synced, failure) = state.read { ($0.synced, $0.failure) }
        if let failure { throw failure }
        return synced
    }

    // MARK: - On the writer thread

    private func run() {
        var files = SegmentFiles(directory: directory, fileMode: fileMode, syncs: syncs)
        while let job = nextJob() {
            do throws(FileIOError) {
                switch job {
                case .write(let piece):
                    defer { pool.give(back: piece.block) }
                    try files.write(piece.block.bytes, segment: piece.segment, offset: piece.offset)
                case .sync(let position):
                    try files.sync()
                    // Not the highest so far: a new timeline begins before the end of the old one.
                    state.update { $0.synced = position }
                    progress.raise()
                case .history(let name, let bytes):
                    try files.putHistory(name, bytes)
                }
            } catch {
                state.update { $0.failure = error }
                progress.raise()
                return
            }
        }
        do throws(FileIOError) { try files.close() } catch {
            state.update { $0.failure = error }
            progress.raise()
        }
    }

    private func nextJob() -> Job? {
        state.wait { state -> Job?? in
            if !state.jobs.isEmpty { return .some(state.jobs.removeFirst()) }
            return state.isClosed ? .some(nil) : nil
        } ?? nil
    }
}
