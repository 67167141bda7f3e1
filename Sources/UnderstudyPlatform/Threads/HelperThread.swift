/// Runs its owner's background work on one thread, in order. The thread starts when it is first needed, and ends with
/// its owner.
package final class HelperThread: Sendable {
    package typealias Work = @Sendable () -> Void

    private struct State {
        var works: [Work] = []
        var isRunning = false
        var isClosed = false
    }

    private let name: StaticString
    private let state = Monitor(State())
    /// Starts a thread; tests make it fail.
    private let start: @Sendable (StaticString, @escaping Work) throws(FileIOError) -> Void

    package init(
        _ name: StaticString,
        start: @escaping @Sendable (StaticString, @escaping Work) throws(FileIOError) -> Void = {
            (name, body) throws(FileIOError) in _ = try OwnThread(name, body)
        }
    ) {
        self.name = name
        self.start = start
    }

    deinit {
        state.update { $0.isClosed = true }
    }

    /// Runs `work` on the thread, after all work submitted before.
    ///
    /// - Returns: False if there is no thread and none can be started now; nothing is done then, and the caller must do
    ///   the work.
    package func perform(_ work: @escaping Work) -> Bool {
        let needsThread = state.update { state in
            guard state.isRunning else { return true }
            state.works.append(work)
            return false
        }
        guard needsThread else { return true }
        do throws(FileIOError) {
            // The thread retains only the state, so the helper can be released at any time.
            try start(name) { [state] in Self.run(state) }
        } catch { return false }
        state.update { state in
            state.isRunning = true
            state.works.append(work)
        }
        return true
    }

    private static func run(_ state: Monitor<State>) {
        while true {
            let work = state.wait { state -> Work?? in
                if !state.works.isEmpty { return .some(state.works.removeFirst()) }
                return state.isClosed ? .some(nil) : nil
            }
            guard let work = work ?? nil else { return }
            work()
        }
    }
}
