#if HTTP
import NIOCore
import UnderstudyPlatform

/// The open connections of a listener, and how much they may ask for.
final class Connections: Sendable {
    private struct State {
        /// Oldest first.
        var channels: [any Channel] = []
        var second: ContinuousClock.Instant?
        var answers = 0
    }

    private let state = Monitor(State())

    /// Prometheus, a health check and some browsers need few.
    private static let most = 64
    /// More than all of these ask for in a second.
    private static let mostAnswers = 200

    /// Adds a connection. If there are too many, the oldest one is closed, so that those who hold connections without use
    /// keep nobody away.
    func add(_ channel: any Channel) {
        let surplus = state.change { state -> (any Channel)? in
            state.channels.append(channel)
            return state.channels.count > Self.most ? state.channels.removeFirst() : nil
        }
        surplus?.close(promise: nil)
        channel.closeFuture.whenComplete { [weak self] _ in self?.remove(channel) }
    }

    private func remove(_ channel: any Channel) {
        state.change { $0.channels.removeAll { $0 === channel } }
    }

    func closeAll() {
        for channel in state.change({ state in
            defer { state.channels = [] }
            return state.channels
        }) {
            channel.close(promise: nil)
        }
    }

    /// Whether another answer may be made in this second: making one takes the processor that receives WAL, too.
    func mayAnswer() -> Bool {
        let now = ContinuousClock.now
        return state.change { state in
            if let second = state.second, now - second < .seconds(1) {
                state.answers += 1
            } else {
                (state.second, state.answers) = (now, 1)
            }
            return state.answers <= Self.mostAnswers
        }
    }
}
#endif
