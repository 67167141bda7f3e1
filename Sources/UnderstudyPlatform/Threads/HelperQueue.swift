/// Runs its owner's background work on threads of a pool: in order, one at a time.
package final class HelperQueue: PooledWork {
    package typealias Work = @Sendable () -> Void

    private struct State {
        var works: [Work] = []
        var isScheduled = false
        var isRunning = false
    }

    private let state = Monitor(State())
    private let member: LaneMember

    package init(_ lane: HelperLane) {
        member = LaneMember(lane)
    }

    package var lane: HelperLane { member.lane }

    /// Runs `work` on a thread, after all work submitted before. What is queued is done even if the queue is released.
    ///
    /// - Returns: False if there is no thread and none can be started now; nothing is done then, and the caller must do
    ///   the work.
    package func perform(_ work: @escaping Work) -> Bool {
        state.change { state in
            if !state.isScheduled {
                guard lane.schedule(self) else { return false }
                state.isScheduled = true
            }
            state.works.append(work)
            return true
        }
    }

    /// Waits until all that was queued is done.
    package func awaitEnd() {
        _ = state.wait { $0.isScheduled ? nil : true }
    }

    package func runSlice() -> Bool {
        let work = state.change { state in
            precondition(!state.isRunning, "two threads work for one queue")
            state.isRunning = true
            return state.works.removeFirst()
        }
        work()
        return state.update { state in
            state.isRunning = false
            state.isScheduled = !state.works.isEmpty
            return state.isScheduled
        }
    }
}
