import UnderstudyPlatform

/// Creates the next segment's file ahead of time on another thread: full size, all zeros, and on stable storage. A
/// commit then costs one fdatasync(2) on allocated space. If no thread can be started, the segment is created when it
/// is needed.
final class SegmentPreparer: Sendable {
    private struct Request: Sendable {
        var size: Int
        var directory: ConfinedDirectory
        var mode: UInt16
    }

    private enum State {
        case idle, running, ready
        case queued(Request)

        mutating func takeQueued() -> Request? {
            guard case .queued(let request) = self else { return nil }
            self = .running
            return request
        }
    }

    static let name: RelativePath = ".understudy-next"

    private let state = Monitor(State.idle)
    private let queue: Monitor<HelperQueue>

    init(_ lane: HelperLane = HelperPool.shared.lane(.process)) {
        queue = Monitor(HelperQueue(lane))
    }

    /// Uses the threads of this lane from now on.
    func use(_ lane: HelperLane) {
        // What the queue before still has finds nothing to do.
        queue.change { queue in
            if queue.lane !== lane { queue = HelperQueue(lane) }
        }
    }

    /// Starts to create the file, unless that was done before.
    func prepare(size: Int, in directory: ConfinedDirectory, mode: UInt16) {
        let isNew = state.update { state in
            guard case .idle = state else { return false }
            state = .queued(Request(size: size, directory: directory, mode: mode))
            return true
        }
        guard isNew else { return }
        let state = state
        let hasThread = queue.read { $0 }.perform {
            if let request = state.change({ $0.takeQueued() }) { Self.make(request, state) }
        }
        if !hasThread { state.update { $0 = .idle } }
    }

    private static func make(_ request: Request, _ state: Monitor<State>) {
        let isReady: Bool
        do throws(FileIOError) {
            try make(size: request.size, in: request.directory, mode: request.mode)
            isReady = true
        } catch {
            // The segment is created when it is needed; that reports the error.
            try? request.directory.remove(Self.name)
            isReady = false
        }
        state.update { $0 = isReady ? .ready : .idle }
    }

    /// Whether there is a file to use, which then belongs to the caller. Waits for one that is being created, and creates
    /// one that no thread has begun: threads of the pool must not wait for those.
    func take() -> Bool {
        if let request = state.change({ $0.takeQueued() }) { Self.make(request, state) }
        return state.wait { state in
            if case .running = state { return nil }
            defer { state = .idle }
            if case .ready = state { return true }
            return false
        } ?? false
    }

    /// Gives up a file that no thread has begun, and waits for one that is being created. A file may be there then.
    func forget() {
        if state.change({ $0.takeQueued() }) != nil { state.update { $0 = .idle } }
        _ = take()
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
