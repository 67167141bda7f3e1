import UnderstudyPlatform

/// Tells the archiver that a destination has stored more, so that it is acknowledged even while the server sends no WAL:
/// when an upload ends on a quiet server.
///
/// A destination makes one, returns it as ``WALDestination/progress``, and announces on any thread:
///
/// ```swift
/// final class Uploader: WALDestination {
///     let progress: WALProgress? = WALProgress()
///     private let stored = Mutex<LSN?>(nil)
///
///     func sync() -> LSN? { stored.withLock { $0 } }
///
///     private func uploaded(upTo position: LSN) {
///         stored.withLock { $0 = position }
///         progress?.announce()
///     }
/// }
/// ```
///
/// Only what ``WALDestination/sync()`` returns is acknowledged: an announcement makes the archiver call it.
public final class WALProgress: Sendable {
    private struct State {
        var listener: (@Sendable () -> Void)?
        /// Whether there was an announcement that no listener has heard.
        var isPending = false
    }

    private let state = Monitor(State())

    public init() {}

    /// Has the archiver call ``WALDestination/sync()`` soon, on a thread of its own. Call it when that returns more than
    /// before; not within `sync()`, which would never end.
    ///
    /// Several announcements may lead to one call. Between two connections, the call comes with the next one.
    public func announce() {
        let listener = state.change { state in
            state.isPending = state.listener == nil
            return state.listener
        }
        listener?()
    }

    /// Calls `listener` at each announcement from now on, and at once if one is pending.
    func attach(_ listener: @escaping @Sendable () -> Void) {
        let isPending = state.change { state in
            state.listener = listener
            defer { state.isPending = false }
            return state.isPending
        }
        if isPending { listener() }
    }

    func detach() {
        state.change { $0.listener = nil }
    }
}
