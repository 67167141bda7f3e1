import Logging
public import ServiceLifecycle
public import UnderstudyCore
import UnderstudyPlatform

/// Runs any number of archivers in one process, which come and go.
///
/// ```swift
/// let group = WALArchiverGroup { name, error in
///     if let error { logger.error("archiver \(name) has ended: \(error)") }
/// }
/// for host in hosts {
///     try group.add(
///         WALArchiver(
///             source: "host=\(host) user=archiver", slot: .existing("archive"),
///             destination: .directory("/srv/wal/\(host)"), options: .init(name: host), logger: logger))
/// }
/// try await ServiceGroup(services: [group], gracefulShutdownSignals: [.sigterm], logger: logger).run()
/// ```
///
/// The end of one archiver, for whatever reason, ends no other; an error that ends one is logged at once by the archiver's
/// logger. One that is short of threads, descriptors, connections or slots tries again, as after a lost connection. On a graceful shutdown, or if the task is cancelled, all
/// stop at the same time, each as ``WALArchiver/run()`` says, and within the same bounded time.
///
/// All archivers of a process, in a group or not, share its helper threads and blocks of memory: each has one thread of
/// its own, and what waits for one file system or server holds up nobody who waits for another. Their metrics differ by
/// the dimension `archiver`, the name that the group knows them by.
public final class WALArchiverGroup: Service {
    /// An archiver of the group.
    public struct Member: Sendable {
        /// See ``WALArchiver/name``.
        public var name: String
        public var status: WALArchiver.Status
        /// Whether it has ended. It stays in the group until it is removed.
        public var hasEnded: Bool
        /// What it ended with; nil if it has not ended, or ended in order.
        public var error: UnderstudyError?
    }

    private struct Entry {
        var archiver: WALArchiver
        var hasBegun = false
        var hasEnded = false
        var error: UnderstudyError?
        /// Those who wait for its end.
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private struct State {
        var names: [String] = []
        var entries: [String: Entry] = [:]
        var hasBegun = false
        /// Tells the running group of new archivers.
        var additions: AsyncStream<String>.Continuation?
        var isOver = false

        mutating func remove(_ name: String) {
            entries[name] = nil
            names.removeAll { $0 == name }
        }
    }

    private let state = Monitor(State())
    private let onEnd: @Sendable (String, UnderstudyError?) -> Void

    /// - Parameter onEnd: Called when an archiver has ended, with its name and, unless it ended in order, its error.
    public init(onEnd: @escaping @Sendable (String, UnderstudyError?) -> Void = { _, _ in }) {
        self.onEnd = onEnd
    }

    /// Adds an archiver that has not run yet. It begins at once if the group is running, otherwise with the group.
    ///
    /// - Throws: If there is an archiver of the same ``WALArchiver/name``, or the group has ended.
    public func add(_ archiver: WALArchiver) throws(UnderstudyError) {
        let name = archiver.name
        let refusal = state.change { state -> UnderstudyError? in
            if state.isOver {
                return UnderstudyError(.options, "archiver \"\(name)\" was added to a group that has ended")
            }
            guard state.entries[name] == nil else {
                return UnderstudyError(
                    .options, "group has an archiver \"\(name)\" already",
                    hint: "Give each archiver a name of its own, in its options, or remove the other one first.")
            }
            state.names.append(name)
            state.entries[name] = Entry(archiver: archiver)
            state.additions?.yield(name)
            return nil
        }
        if let refusal { throw refusal }
    }

    /// Ends an archiver, and takes it out of the group. When this returns, all that it had received is synced and
    /// acknowledged, unless it throws.
    ///
    /// - Throws: The error that the archiver has ended with, or ends with now; or if there is none of this name.
    public func remove(_ name: String) async throws(UnderstudyError) {
        guard let archiver = state.read({ $0.entries[name]?.archiver }) else {
            throw UnderstudyError(.options, "group has no archiver \"\(name)\"")
        }
        archiver.state.stop()
        await withCheckedContinuation { continuation in
            let isOver = state.change { state in
                // One that has not begun is removed here, so it never begins.
                guard let entry = state.entries[name], entry.hasBegun, !entry.hasEnded else { return true }
                state.entries[name]?.waiting.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
        let error = state.change { state in
            // Somebody else may have removed it meanwhile, and added another one.
            guard state.entries[name]?.archiver === archiver else { return nil as UnderstudyError? }
            defer { state.remove(name) }
            return state.entries[name]?.error
        }
        if let error { throw error }
    }

    /// The archivers, in the order in which they were added.
    public var members: [Member] {
        state.read { state in
            state.names.compactMap { name in
                state.entries[name].map {
                    Member(name: name, status: $0.archiver.status, hasEnded: $0.hasEnded, error: $0.error)
                }
            }
        }
    }

    /// Runs the archivers until the service is shut down gracefully or the task is cancelled, and waits for their ends. A
    /// group runs once: a second call throws. A group without archivers waits for some.
    public func run() async throws {
        let (additions, continuation) = AsyncStream.makeStream(of: String.self)
        let isFirst = state.change { state in
            defer { state.hasBegun = true }
            guard !state.hasBegun else { return false }
            state.additions = continuation
            for name in state.names { continuation.yield(name) }
            return true
        }
        guard isFirst else {
            throw UnderstudyError(
                .options, "this group has run already", hint: "Make a new one: a group runs once.")
        }
        await withGracefulShutdownHandler {
            // If the task is cancelled, the sequence ends, and so does each archiver.
            await withDiscardingTaskGroup { group in
                for await name in additions {
                    group.addTask { await self.run(name) }
                }
                self.state.change { $0.isOver = true }
            }
        } onGracefulShutdown: {
            self.state.change { $0.isOver = true }
            continuation.finish()
        }
    }

    private func run(_ name: String) async {
        let archiver = state.change { state -> WALArchiver? in
            guard let entry = state.entries[name], !entry.hasBegun else { return nil }
            state.entries[name]?.hasBegun = true
            return entry.archiver
        }
        guard let archiver else { return }
        var error: UnderstudyError?
        do { try await archiver.run() } catch let failure as UnderstudyError { error = failure } catch {
            // It throws nothing else.
        }
        let waiting = state.change { [error] state in
            state.entries[name]?.hasEnded = true
            state.entries[name]?.error = error
            defer { state.entries[name]?.waiting = [] }
            return state.entries[name]?.waiting ?? []
        }
        if let error {
            archiver.logger.error(
                "archiver has ended: \(error.message)", metadata: .event(.failed, isOwn: true, error.metadata))
        }
        onEnd(name, error)
        for continuation in waiting { continuation.resume() }
    }
}
