import CUnderstudyLinux
import CUnderstudyPQ
import Glibc
import UnderstudyPlatform

/// The time limits of a command that is completed even if the interrupt is raised.
struct Shield {
    /// The maximum duration in total, …
    static let longest = Duration.seconds(20)
    /// …and after the interrupt is raised.
    static let longestInterrupted = Duration.seconds(3)

    private(set) var end: ContinuousClock.Instant
    private(set) var isInterrupted = false

    init(until end: ContinuousClock.Instant? = nil) {
        let latest = ContinuousClock().now + Self.longest
        self.end = min(end ?? latest, latest)
    }

    /// Shortens the limit, because the interrupt was raised.
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
        // With TLS or GSS, the library below libpq may hold part of a record that was read completely from the socket,
        // and poll does not see that. So libpq is asked once more before each wait. By then it has room for the rest of
        // the record.
        if isEncrypted && !hasLookedTwice {
            hasLookedTwice = true
            try consumeInput()
            return .input
        }
        // Data missed by the second check is found by the next one, a second later.
        let isCapped = isEncrypted && shield == nil && (timeout ?? .seconds(2)) > .seconds(1)
        // A message that may be too long is read before anything is sent.
        let sends = hasUnsent && !input.isMeasured
        let outcome =
            mayReadAtOnce(wakeUps)
            ? .ready
            : try waitForSocket(
                sends ? .inputOrOutput : .input, timeout: isCapped ? .seconds(1) : timeout, wakeUps: wakeUps)
        switch outcome {
        case .timedOut:
            hasLookedTwice = false
            return isCapped && timeout == nil ? .input : .timedOut
        case .interrupted(let index): return .woken(index)
        case .ready:
            hasLookedTwice = false
            // Send first, while libpq holds no unprocessed input: if it cannot send everything, it also reads.
            if sends, takesMore {
                try sendSome()
            } else {
                endSilence()
                try consumeInput()
            }
            return .input
        }
    }

    /// Whether poll(2) is not needed to know that there is input, and nothing else: a server that sends faster than this
    /// reads has sent the next piece already.
    private func mayReadAtOnce(_ wakeUps: [Interrupt]) -> Bool {
        !hasUnsent && shield == nil && !interrupt.isRaised && !wakeUps.contains { $0.isRaised }
            && Int(understudy_bytes_waiting(unsafe PQsocket(connection))) >= InputMeasure.piece
    }

    package var isEncrypted: Bool {
        unsafe PQsslInUse(connection) == 1 || PQgssEncInUse(connection) == 1
    }

    /// Waits for the socket, the interrupt, a wake-up or the timeout.
    ///
    /// - Returns: The outcome; `interrupted` has the index of the wake-up.
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

    /// Throws if the interrupt is raised, or a shield has expired. Needed because a server that keeps sending never
    /// lets us wait.
    func checkInterrupt() throws(ConnectionError) {
        guard shield == nil else { return try checkShield() }
        if interrupt.isRaised { throw ConnectionError(.interrupted, "interrupted") }
    }

    /// Reads the input from the server: PQconsumeInput.
    func consumeInput() throws(ConnectionError) {
        let heard = notices.takeHeardBytes()
        if heard > 0 { input.completed(heard) }
        let socket = unsafe PQsocket(connection)
        let waiting = Int(understudy_bytes_waiting(socket))
        input.check(waiting: waiting)
        // If nothing can be sent, libpq reads twice, each time as much as fits, and enlarges its buffer in between.
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
        // Nothing uses notifications, and libpq would keep them.
        while let notification = unsafe PQnotifies(connection) { unsafe PQfreemem(notification) }
        guard input.isTooMuch else { return }
        throw ConnectionError(
            .protocolViolation,
            "server sent more than \(InputMeasure.longestMessage) bytes without completing a message")
    }

    /// Lets libpq read at most one piece.
    ///
    /// - Returns: The size read, negative if the connection broke; nil if this is not possible.
    private func consumePiece(of socket: CInt) -> Int? {
        let isEncrypted = isEncrypted
        guard var aside = SocketAside(socket, isEncrypted: isEncrypted) else { return nil }
        let count = aside.feed(atMost: InputMeasure.piece)
        var isGood = true
        repeat { isGood = unsafe PQconsumeInput(connection) == 1 } while isGood && aside.hasRest
        let isSent = !isEncrypted || aside.forward()
        // libpq closes the socket of a broken connection.
        aside.isInPlace = unsafe PQsocket(connection) == socket
        return isGood && isSent ? count : -1
    }
}

extension Int16 {
    static let input = Int16(POLLIN)
    static let output = Int16(POLLOUT)
    static let inputOrOutput = Int16(POLLIN | POLLOUT)
}
