import Glibc

/// The threads for one place, and the work that waits for them: one slice of each in turn, so that none starves.
package final class HelperLane: Sendable {
    private enum Order: Sendable {
        case work(any PooledWork)
        case end
    }

    /// One thread.
    private final class Worker: Sendable {
        let order: Monitor<Order?>
        let thread = Monitor<OwnThread?>(nil)

        init(_ order: Order?) {
            self.order = Monitor(order)
        }
    }

    private struct State {
        /// Work that no thread is free for, in turn.
        var ready: [any PooledWork] = []
        /// Threads without work; the one that worked last comes first, since its memory is warm.
        var idle: [Worker] = []
        var threads = 0
        var members = 0
        /// Threads that have no more work, and may not have ended yet.
        var ended: [Worker] = []
    }

    private let state = Monitor(State())
    private let name: StaticString
    private let limit: Int
    private let idleTime: Duration
    private let keepsThread: Bool
    private let pool: HelperPool
    private let start: HelperPool.Start

    /// - Parameter keepsThread: Whether the last thread stays as long as there is a member: where no other can be
    ///   started later, work is still done.
    init(
        _ name: StaticString, limit: Int, idleTime: Duration, keepsThread: Bool, pool: HelperPool,
        start: @escaping HelperPool.Start
    ) {
        self.name = name
        self.limit = limit
        self.idleTime = idleTime
        self.keepsThread = keepsThread
        self.pool = pool
        self.start = start
    }

    /// Has a thread do the work. Until it returns false from ``PooledWork/runSlice()``, it must not be scheduled again.
    ///
    /// - Returns: False if there is no thread, and none can be started now; nothing is done then.
    package func schedule(_ work: any PooledWork) -> Bool {
        state.change { state in
            if let worker = state.idle.popLast() {
                worker.order.update { $0 = .work(work) }
                return true
            }
            if case .success = addThread(&state, .work(work)) { return true }
            // Each thread looks at this list before it rests.
            guard state.threads > 0 else { return false }
            state.ready.append(work)
            return true
        }
    }

    /// Makes sure that there is a thread now.
    ///
    /// - Throws: If none can be started.
    package func ensureThread() throws(FileIOError) {
        let result = state.change { state -> Result<Void, FileIOError> in
            state.threads > 0 ? .success(()) : addThread(&state, nil)
        }
        try result.get()
    }

    /// How many threads there are.
    package var threadCount: Int { state.read { $0.threads } }

    private func addThread(_ state: inout State, _ order: Order?) -> Result<Void, FileIOError> {
        let isFirst = state.threads == 0
        guard isFirst || (state.threads < limit && pool.takeFurtherThread()) else {
            return .failure(FileIOError(OwnThread.attempt, name.description, number: EAGAIN))
        }
        let worker = Worker(order)
        do throws(FileIOError) {
            // Its first look at the lane waits for the lock that is held here.
            let thread = try start(name) { self.run(worker) }
            worker.thread.update { $0 = thread }
        } catch {
            if !isFirst { pool.giveBackFurtherThread() }
            return .failure(error)
        }
        state.threads += 1
        state.ended.removeAll { $0.thread.read { $0?.joinIfEnded() ?? true } }
        if order == nil { state.idle.append(worker) }
        return .success(())
    }

    // MARK: - On the threads

    private func run(_ worker: Worker) {
        var next = worker.order.change { $0.take() } ?? rest(worker)
        while case .work(let work) = next {
            let hasMore = work.runSlice()
            next = nextOrder(worker, after: hasMore ? work : nil)
        }
    }

    private func nextOrder(_ worker: Worker, after again: (any PooledWork)?) -> Order? {
        let order = state.update { state -> Order? in
            if let again {
                if state.ready.isEmpty { return .work(again) }
                state.ready.append(again)
            }
            if !state.ready.isEmpty { return .work(state.ready.removeFirst()) }
            if state.members == 0 {
                end(worker, &state)
                return .end
            }
            state.idle.append(worker)
            return nil
        }
        return order ?? rest(worker)
    }

    /// Waits for an order, with the thread in the list of those without work.
    private func rest(_ worker: Worker) -> Order? {
        if let order = worker.order.wait(timeout: idleTime, until: { $0.take() }) { return order }
        let isOver = state.update { state in
            guard let index = state.idle.firstIndex(where: { $0 === worker }),
                !(keepsThread && state.threads == 1 && state.members > 0)
            else { return false }
            state.idle.remove(at: index)
            end(worker, &state)
            return true
        }
        // Who takes a thread from the list gives it an order under the same lock; one that stays waits for one.
        return isOver ? nil : worker.order.wait { $0.take() }
    }

    private func end(_ worker: Worker, _ state: inout State) {
        state.threads -= 1
        if state.threads > 0 { pool.giveBackFurtherThread() }
        state.ended.append(worker)
    }

    // MARK: - Members

    fileprivate func enter() {
        state.change { $0.members += 1 }
    }

    fileprivate func leave(waits: Bool) {
        let isLast = state.update { state in
            precondition(state.members > 0, "a lane was left by who was not there")
            state.members -= 1
            guard state.members == 0 else { return false }
            for worker in state.idle {
                worker.order.update { $0 = .end }
                end(worker, &state)
            }
            state.idle = []
            return true
        }
        guard isLast, waits else { return }
        let ended = state.wait { state -> [Worker]? in
            guard state.members == 0 else { return [] }
            guard state.threads == 0 else { return nil }
            defer { state.ended = [] }
            return state.ended
        }
        for worker in ended ?? [] { worker.thread.wait { $0 }?.join() }
    }
}

/// Somebody who may have work for a lane: while there is one, its threads stay for a while when they have none.
package final class LaneMember: Sendable {
    package let lane: HelperLane
    private let hasLeft = Monitor(false)

    package init(_ lane: HelperLane) {
        self.lane = lane
        lane.enter()
    }

    deinit {
        leave(waits: false)
    }

    /// - Parameter waits: Whether to wait for the end of the lane's threads if this was the last member; see
    ///   ``OwnThread/join()``. None of its works may be scheduled then.
    package func leave(waits: Bool) {
        let isFirst = hasLeft.change { hasLeft in
            defer { hasLeft = true }
            return !hasLeft
        }
        if isFirst { lane.leave(waits: waits) }
    }
}
