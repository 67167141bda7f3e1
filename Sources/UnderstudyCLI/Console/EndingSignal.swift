import CUnderstudyLinux
import Glibc
import UnderstudyPlatform

/// A signal that ends a run.
enum EndingSignal: Int32, Sendable, CaseIterable, CustomStringConvertible {
    case interrupt = 2
    case terminate = 15
    case hangUp = 1

    var description: String {
        switch self {
        case .interrupt: "SIGINT"
        case .terminate: "SIGTERM"
        case .hangUp: "SIGHUP"
        }
    }
}

/// Passes the signals that end a run to a handler, in order of arrival.
final class SignalFeed: Sendable {
    private struct State {
        var handler: (@Sendable (EndingSignal) -> Void)?
        var waiting: [EndingSignal] = []
    }

    private let state = Monitor(State())

    /// - Parameter handler: Also receives the signals that arrived before; nil for none.
    func listen(_ handler: (@Sendable (EndingSignal) -> Void)?) {
        let waiting = state.change { state in
            state.handler = handler
            guard handler != nil else { return [EndingSignal]() }
            defer { state.waiting = [] }
            return state.waiting
        }
        for signal in waiting { handler?(signal) }
    }

    func send(_ signal: EndingSignal) {
        let handler = state.change { state in
            if state.handler == nil { state.waiting.append(signal) }
            return state.handler
        }
        handler?(signal)
    }

    /// The signals of this process: INT and TERM, and HUP unless it is ignored (nohup). From here on, none of them ends
    /// the process by itself.
    ///
    /// A thread created now receives them, so ending a run needs no further resources.
    static func ofProcess() throws(FileIOError) -> SignalFeed {
        let feed = SignalFeed()
        let signals = EndingSignal.allCases.filter { $0 != .hangUp || !isIgnored($0) }
        let wakeUp = Interrupt()
        _ = try OwnThread("signals") {
            var seen = [EndingSignal: UInt32]()
            while true {
                // Without a descriptor, the counts are polled.
                let timeout = wakeUp.rawDescriptor < 0 ? Duration.milliseconds(50) : nil
                _ = Interrupt.wait(socket: -1, events: 0, interrupts: [wakeUp], timeout: timeout)
                wakeUp.clear()
                for signal in signals {
                    let count = understudy_signals_counted(signal.rawValue)
                    for _ in 0..<(count &- seen[signal, default: 0]) { feed.send(signal) }
                    seen[signal] = count
                }
            }
        }
        understudy_tell_signals_to(wakeUp.rawDescriptor)
        for signal in signals where understudy_count_signal(signal.rawValue) != 0 {
            throw FileIOError("could not set the action of signal", signal.description)
        }
        return feed
    }

    private static func isIgnored(_ signal: EndingSignal) -> Bool {
        var action = sigaction()
        // Only queries; `action` outlives the call. SIG_IGN is the number 1 in the place of a function's address.
        guard unsafe sigaction(signal.rawValue, nil, &action) == 0 else { return false }
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
    }
}
