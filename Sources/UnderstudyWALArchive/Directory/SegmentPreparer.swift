import UnderstudyPlatform

/// Creates the next segment's file ahead of time on its own thread: full size, all zeros, and on stable storage. A
/// commit then costs one fdatasync(2) on allocated space. If no thread can be started, the segment is created when it
/// is needed.
final class SegmentPreparer: Sendable {
    private enum State {
        case idle, running, ready
    }

    static let name: RelativePath = ".understudy-next"

    private let state = Monitor(State.idle)
    private let thread: HelperThread

    init(thread: HelperThread = HelperThread("wal preparer")) {
        self.thread = thread
    }

    /// Starts to create the file, unless that was done before.
    func prepare(size: Int, in directory: ConfinedDirectory, mode: UInt16) {
        let isNew = state.update { state in
            guard state == .idle else { return false }
            state = .running
            return true
        }
        guard isNew else { return }
        let state = state
        let hasThread = thread.perform {
            let isReady: Bool
            do throws(FileIOError) {
                try Self.make(size: size, in: directory, mode: mode)
                isReady = true
            } catch {
                // The segment is created when it is needed; that reports the error.
                try? directory.remove(Self.name)
                isReady = false
            }
            state.update { $0 = isReady ? .ready : .idle }
        }
        if !hasThread { state.update { $0 = .idle } }
    }

    /// Whether there is a file to use, which then belongs to the caller. Waits for one that is being created.
    func take() -> Bool {
        state.wait { state in
            if state == .running { return nil }
            defer { state = .idle }
            return state == .ready
        } ?? false
    }

    private static func make(size: Int, in directory: ConfinedDirectory, mode: UInt16) throws(FileIOError) {
        if directory.exists(name) { try directory.remove(name) }
        var file = try OutputFile(in: directory, name, mode: mode, size: UInt64(size))
        let block = try Block(capacity: 1 << 20)
        _ = unsafe block.append([UInt8](repeating: 0, count: block.capacity).span.bytes)
        for _ in 0..<size / block.capacity { try file.write(block.bytes) }
        try file.finish(sync: true)
    }
}
