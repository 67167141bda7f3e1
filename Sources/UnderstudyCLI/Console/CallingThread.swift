import UnderstudyPlatform

/// Runs tasks on the thread that waits for them.
final class CallingThread: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
    }

    private let state = Monitor(State())

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.update { $0.jobs.append(job) }
    }

    /// Runs `body`, and what it calls, until it returns. One call at a time.
    func run<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) -> Value {
        let result = Monitor<Value?>(nil)
        Task(executorPreference: self) {
            let value = await body()
            result.update { $0 = value }
        }
        while true {
            if let value = result.read({ $0 }) { return value }
            guard let job = state.wait(until: { $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }) else { continue }
            // Each job that was enqueued is run once.
            unsafe job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
