import CUnderstudyPQ
import UnderstudyPlatform
import UnderstudyProtocol

extension Session {
    /// Waits until libpq has sent what it holds.
    func flush() throws(ConnectionError) {
        try sendSome()
        while hasUnsent {
            hasLookedTwice = false
            // The server may be waiting for us to read before it reads itself. But what is read now is kept by libpq.
            let outcome = try waitForSocket(input.mayReadAhead ? .inputOrOutput : .output, timeout: patience?.limit)
            if outcome == .timedOut, let patience { throw ConnectionError.stalled(for: patience.limit) }
            if takesMore {
                try sendSome()
            } else {
                try consumeInput()
            }
        }
    }

    /// Lets libpq send what the socket takes, and then the status that waits: PQflush.
    func sendSome() throws(ConnectionError) {
        while true {
            switch unsafe PQflush(connection) {
            case 0: hasUnsent = false
            case 1: hasUnsent = true
            default: throw lost("could not send to server")
            }
            guard !hasUnsent, let status = waitingStatus else { return }
            waitingStatus = nil
            try put(status)
        }
    }

    /// Whether the socket takes something now. If not, libpq would read instead of sending, and keep what it reads.
    var takesMore: Bool {
        Interrupt.wait(socket: unsafe PQsocket(connection), events: .output, interrupts: [], timeout: .zero) == .ready
    }

    /// A status that waits until the one before it is sent.
    struct WaitingStatus {
        var status: StandbyStatus
        var withdrawing: Bool
    }

    /// Sends one CopyData message, or as much as the socket takes now; the rest follows while the session waits.
    func sendCopyData(_ bytes: [UInt8]) throws(ConnectionError) {
        // libpq copies the bytes in the call.
        let status = unsafe bytes.withUnsafeBytes { buffer in
            unsafe PQputCopyData(
                connection, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), CInt(buffer.count))
        }
        guard status == 1 else { throw lost("could not send copy data") }
        hasUnsent = true
    }

    /// Sends CopyDone: PQputCopyEnd.
    package func endCopy() throws(ConnectionError) {
        // What was to be told comes before it.
        try flush()
        guard unsafe PQputCopyEnd(connection, nil) == 1 else { throw lost("could not end the copy") }
        try flush()
    }
}
