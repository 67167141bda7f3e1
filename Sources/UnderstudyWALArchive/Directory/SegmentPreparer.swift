import UnderstudyPlatform

/// Makes the next segment's file ahead of time, on a thread of its own: of full size, all zeros, and on stable storage. A
/// commit in it then costs one fdatasync(2) of space that is there. Where there is no thread to be had, the segment is made
/// when it is needed.
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

    /// Begins, unless that has been done.
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
                // The segment is made when it is needed, and what is wrong will be told then.
                try? directory.remove(Self.name)
                isReady = false
            }
            state.update { $0 = isReady ? .ready : .idle }
        }
        if !hasThread { state.update { $0 = .idle } }
    }

    /// Whether there is a file to be used; waits for one that is being made. It is the caller's then.
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
