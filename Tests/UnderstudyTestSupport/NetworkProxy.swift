import Foundation
import Glibc

/// A link to a server that breaks when it is told to: a TCP proxy on loopback.
package final class NetworkProxy: Sendable {
    package enum Condition: Sendable, Equatable {
        case forwarding
        /// Nothing is passed on any more, in either direction; connections stay, and new ones are accepted.
        case stalled
        /// Every connection is reset, and new ones are refused.
        case cut
        /// Each piece is passed on after this many milliseconds.
        case delayed(milliseconds: Int32)
    }

    private struct State {
        var condition = Condition.forwarding
        var connections: [CInt] = []
        /// Bytes from the server to clients until the condition changes by itself.
        var change: (after: Int, to: Condition)?
        var passed = 0
        var accepted = 0
    }

    package let port: Int
    private let listener: CInt
    private let shared = Shared()

    /// Lives as long as the last thread.
    private final class Shared: Sendable {
        private let state = Locked(State())

        func with<Value: Sendable>(_ body: (inout sending State) -> Value) -> Value {
            state.withLock { body(&$0) }
        }
    }

    /// Listens on a port of its own and passes on to `port` of loopback.
    package init(to port: Int) throws {
        (listener, self.port) = try Loopback.listen()
        Loopback.accept(on: listener) { [shared] client in
            let isCut = shared.with { state in
                state.accepted += 1
                return state.condition == .cut
            }
            guard !isCut, let server = try? Loopback.connect(to: port) else {
                Self.reset(client)
                return
            }
            shared.with { $0.connections += [client, server] }
            Thread.detachNewThread { Self.forward(between: client, and: server, shared) }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        set(.cut)
    }

    package func set(_ condition: Condition) {
        shared.with { Self.apply(condition, to: &$0) }
    }

    /// Changes the condition once the server has sent this many bytes more.
    package func change(to condition: Condition, afterBytes bytes: Int) {
        shared.with { $0.change = ($0.passed + bytes, condition) }
    }

    /// Bytes that have come from the server.
    package var passed: Int { shared.with { $0.passed } }

    /// Connections that clients have made.
    package var accepted: Int { shared.with { $0.accepted } }

    private static func apply(_ condition: Condition, to state: inout State) {
        state.condition = condition
        state.change = nil
        // The threads close them when they notice.
        if condition == .cut { for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) } }
    }

    private static func forward(between client: CInt, and server: CInt, _ shared: Shared) {
        defer {
            shared.with { state in
                state.connections.removeAll { $0 == client || $0 == server }
                if state.condition == .cut { reset(client) } else { close(client) }
                close(server)
            }
        }
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            let condition = shared.with { $0.condition }
            if condition == .cut { return }
            var polls = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: server, events: Int16(POLLIN), revents: 0),
            ]
            if condition == .stalled {
                // Only the end of a connection is noticed.
                for index in polls.indices { polls[index].events = Int16(0x2000 /* POLLRDHUP */) }
            }
            // SAFETY: the list has two elements.
            let ready = unsafe poll(&polls, 2, 20)
            guard ready > 0 else { continue }
            for (source, sink) in [(0, 1), (1, 0)] where polls[source].revents != 0 {
                if condition == .stalled { return }
                if case .delayed(let milliseconds) = condition { poll(nil, 0, milliseconds) }
                // SAFETY: recv writes no more than the buffer's size.
                let count = unsafe recv(polls[source].fd, &buffer, buffer.count, 0)
                guard count > 0, Loopback.send(buffer[..<count], to: polls[sink].fd) else { return }
                if source == 1 { shared.with { note(count, in: &$0) } }
            }
        }
    }

    private static func note(_ count: Int, in state: inout State) {
        state.passed += count
        if let change = state.change, state.passed >= change.after { apply(change.to, to: &state) }
    }

    /// Closes with RST, as a peer does that knows nothing of the connection.
    private static func reset(_ connection: CInt) {
        var option = linger(l_onoff: 1, l_linger: 0)
        // SAFETY: the option lives through the call.
        unsafe setsockopt(connection, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close(connection)
    }
}
