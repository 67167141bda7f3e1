import CUnderstudyLinux
import CUnderstudyPQ
import Glibc
import UnderstudyPlatform

/// A command that runs to its end though the interrupt is raised, but not for ever.
struct Shield {
    /// How long it may take in all, …
    static let longest = Duration.seconds(20)
    /// …and once the interrupt is raised.
    static let longestInterrupted = Duration.seconds(3)

    private(set) var end: ContinuousClock.Instant
    private(set) var isInterrupted = false

    init(until end: ContinuousClock.Instant? = nil) {
        let latest = ContinuousClock().now + Self.longest
        self.end = min(end ?? latest, latest)
    }

    /// The interrupt was raised.
    mutating func shorten() {
        isInterrupted = true
        end = min(end, ContinuousClock().now + Self.longestInterrupted)
    }
}

extension Session {
    enum Waited: Equatable {
        case input, timedOut
        case woken(Int)
    }

    func waitForInput(timeout: Duration?, wakeUps: [Interrupt]) throws(ConnectionError) -> Waited {
        // With TLS or GSS a record that was read whole may wait half used in the library below libpq, where poll
        // does not see it: libpq is asked once more before each wait. It has room by then for the rest of the record.
        if isEncrypted && !hasLookedTwice {
            hasLookedTwice = true
            try consumeInput()
            return .input
        }
        // What still escaped the second look is found by the next one, a second later.
        let isCapped = isEncrypted && shield == nil && (timeout ?? .seconds(2)) > .seconds(1)
        // A message that may be too long is taken before anything is said.
        let sends = hasUnsent && !input.isMeasured
        let outcome = try waitForSocket(
            sends ? .inputOrOutput : .input, timeout: isCapped ? .seconds(1) : timeout, wakeUps: wakeUps)
        switch outcome {
        case .timedOut:
            hasLookedTwice = false
            return isCapped && timeout == nil ? .input : .timedOut
        case .interrupted(let index): return .woken(index)
        case .ready:
            hasLookedTwice = false
            // First, while libpq holds nothing that was not taken: where it cannot send all, it reads as well.
            if sends, takesMore {
                try sendSome()
            } else {
                endSilence()
                try consumeInput()
            }
            return .input
        }
    }

    var isEncrypted: Bool {
        unsafe PQsslInUse(connection) == 1 || PQgssEncInUse(connection) == 1
    }

    /// Waits for the socket, the interrupt or a wake-up, or for time to pass.
    ///
    /// - Returns: With the index of the wake-up.
    func waitForSocket(
        _ events: Int16, timeout: Duration?, wakeUps: [Interrupt] = []
    ) throws(ConnectionError) -> Interrupt.Outcome {
        let clock = ContinuousClock()
        while true {
            var timeout = timeout
            if let shield {
                try checkShield()
                timeout = min(timeout ?? Shield.longest, max(.zero, shield.end - clock.now))
            }
            let isDeaf = shield?.isInterrupted ?? false
            let outcome = Interrupt.wait(
                socket: unsafe PQsocket(connection), events: events, interrupts: isDeaf ? [] : ownInterrupts, wakeUps,
                timeout: timeout)
            guard case .interrupted(let index) = outcome else {
                if outcome == .timedOut { try checkShield() }
                return outcome
            }
            if isDeaf || index > 0 { return .interrupted(isDeaf ? index : index - 1) }
            guard shield != nil else { throw ConnectionError(.interrupted, "interrupted") }
            shield?.shorten()
        }
    }

    private func checkShield() throws(ConnectionError) {
        guard let shield, ContinuousClock().now >= shield.end else { return }
        throw ConnectionError(.lost, "server did not answer in time")
    }

    /// Looks whether the interrupt is raised, or a shield at its end: a server may never let us wait.
    func checkInterrupt() throws(ConnectionError) {
        guard shield == nil else { return try checkShield() }
        if interrupt.isRaised { throw ConnectionError(.interrupted, "interrupted") }
    }

    /// Takes in what the server has sent: PQconsumeInput.
    func consumeInput() throws(ConnectionError) {
        let heard = notices.takeHeardBytes()
        if heard > 0 { input.completed(heard) }
        let socket = unsafe PQsocket(connection)
        let waiting = Int(understudy_bytes_waiting(socket))
        input.look(waiting: waiting)
        // While nothing can be sent libpq reads twice, each time as much as it has room for, and makes more room in between.
        if hasUnsent, !takesMore { input.measureNext() }
        let isGood: Bool
        if input.isMeasured, let count = consumePiece(of: socket) {
            isGood = count >= 0
            input.note(max(0, count))
        } else {
            isGood = unsafe PQconsumeInput(connection) == 1
            input.note(min(waiting, InputMeasure.piece))
        }
        guard isGood else { throw lost("connection to server was lost") }
        // Nobody listens for anything, and libpq would keep them.
        while let notification = unsafe PQnotifies(connection) { unsafe PQfreemem(notification) }
        guard input.isTooMuch else { return }
        throw ConnectionError(
            .protocolViolation,
            "server sent more than \(InputMeasure.longestMessage) bytes without completing a message")
    }

    /// Lets libpq read no more than a piece.
    ///
    /// - Returns: Its size, negative where the connection broke; nil where it cannot be done.
    private func consumePiece(of socket: CInt) -> Int? {
        let isEncrypted = isEncrypted
        guard var aside = SocketAside(socket, isEncrypted: isEncrypted) else { return nil }
        let count = aside.feed(atMost: InputMeasure.piece)
        var isGood = true
        repeat { isGood = unsafe PQconsumeInput(connection) == 1 } while isGood && aside.hasRest
        let isSent = !isEncrypted || aside.forward()
        // libpq closes the socket of a connection that has broken.
        aside.isInPlace = unsafe PQsocket(connection) == socket
        return isGood && isSent ? count : -1
    }
}

extension Int16 {
    static let input = Int16(POLLIN)
    static let output = Int16(POLLOUT)
    static let inputOrOutput = Int16(POLLIN | POLLOUT)
}
