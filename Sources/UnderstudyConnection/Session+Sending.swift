import CUnderstudyPQ
import UnderstudyPlatform
import UnderstudyProtocol

extension Session {
    /// Waits until libpq has sent all its buffered output.
    func flush() throws(ConnectionError) {
        try sendSome()
        while hasUnsent {
            hasLookedTwice = false
            // The server may not read until we do. But libpq keeps the input that it reads now.
            let outcome = try waitForSocket(input.mayReadAhead ? .inputOrOutput : .output, timeout: silenceLimit?.limit)
            if outcome == .timedOut, let silenceLimit { throw ConnectionError.stalled(for: silenceLimit.limit) }
            if takesMore {
                try sendSome()
            } else {
                try consumeInput()
            }
        }
    }

    /// Sends as much of libpq's output as the socket accepts, and then the waiting status: PQflush.
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

    /// Whether the socket accepts output now. If not, libpq would read instead of sending, and keep the input.
    var takesMore: Bool {
        Interrupt.wait(socket: unsafe PQsocket(connection), events: .output, interrupts: [], timeout: .zero) == .ready
    }

    /// A status that waits until the one before it was sent.
    struct WaitingStatus {
        var status: StandbyStatus
        var withdrawing: Bool
    }

    /// Sends one CopyData message, or as much as the socket accepts now. The rest is sent while the session waits.
    func sendCopyData(_ bytes: [UInt8]) throws(ConnectionError) {
        // libpq copies the bytes during the call.
        let status = unsafe bytes.withUnsafeBytes { buffer in
            unsafe PQputCopyData(
                connection, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), CInt(buffer.count))
        }
        guard status == 1 else { throw lost("could not send copy data") }
        hasUnsent = true
    }

    /// Sends a piece of a copy to the server, and waits until libpq has given it to the socket.
    package func upload(_ bytes: [UInt8]) throws(ConnectionError) {
        try sendCopyData(bytes)
        try flush()
    }

    /// Sends CopyDone: PQputCopyEnd.
    package func endCopy() throws(ConnectionError) {
        // A waiting status must be sent first.
        try flush()
        guard unsafe PQputCopyEnd(connection, nil) == 1 else { throw lost("could not end the copy") }
        try flush()
    }
}
