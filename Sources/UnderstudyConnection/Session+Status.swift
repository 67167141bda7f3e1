import Glibc
package import UnderstudyProtocol
package import UnderstudyWAL

/// The positions reported to a server on one connection. They never go back: a server moves a slot to any reported
/// position, and removes WAL accordingly.
struct ReportedPositions: Equatable {
    /// The last one since START_REPLICATION.
    private(set) var written = LSN.invalid
    /// The highest one on this connection.
    private(set) var flushed = LSN.invalid

    /// Starts a new stream. Another timeline may begin before the end of the WAL written on the last one.
    mutating func beginStream() {
        written = .invalid
    }

    /// - Parameter withdrawing: Whether the flush position may become invalid after a valid one was reported, which
    ///   moves no slot.
    /// - Returns: Why the status must not be sent; nil if it may, and was recorded.
    mutating func note(_ status: StandbyStatus, withdrawing: Bool = false) -> String? {
        if status.flushed < flushed, !withdrawing || status.flushed != .invalid {
            return "the flushed position would go back from \(flushed) to \(status.flushed)"
        }
        if status.written < written {
            return "the written position would go back from \(written) to \(status.written)"
        }
        if status.written < status.flushed {
            return "the flushed position \(status.flushed) would be beyond the written one, \(status.written)"
        }
        (written, flushed) = (status.written, max(flushed, status.flushed))
        return nil
    }
}

extension Session {
    /// The highest flush position reported to the server on this connection.
    package var reportedFlushed: LSN { told.flushed }

    /// Sends a standby status update, with the current time of this machine's clock.
    ///
    /// Refuses a position lower than one sent before: for the flush position on the whole connection, for the write
    /// position since the last START_REPLICATION. While the server does not read, only the newest status is kept for
    /// it.
    ///
    /// - Parameter withdrawing: Whether the flush position may become invalid after a valid one was reported. The
    ///   server then no longer counts this connection as a synchronous standby, and moves no slot.
    /// If the connection is lost, ``takeCopyData(timeout:wakeUps:failure:_:)`` tells that after what the server said before.
    ///
    /// - Returns: Whether the status was passed on for sending; false if it waits, or is lost with the connection.
    @discardableResult
    package func sendStatus(_ status: StandbyStatus, withdrawing: Bool = false) throws(ConnectionError) -> Bool {
        if hasFailedSending { return false }
        do throws(ConnectionError) { return try trySending(status, withdrawing) } catch  where error.code == .lost {
            noteFailedSending()
            return false
        }
    }

    func noteFailedSending() {
        hasFailedSending = true
        hasUnsent = false
        waitingStatus = nil
    }

    private func trySending(_ status: StandbyStatus, _ withdrawing: Bool) throws(ConnectionError) -> Bool {
        if hasUnsent && !input.isMeasured && takesMore { try sendSome() }
        guard hasUnsent else {
            try put(WaitingStatus(status: status, withdrawing: withdrawing))
            try sendSome()
            return true
        }
        var next = WaitingStatus(status: status, withdrawing: withdrawing)
        if let waiting = waitingStatus {
            next.withdrawing = withdrawing || waiting.withdrawing
            next.status.replyRequested = status.replyRequested || waiting.status.replyRequested
        }
        waitingStatus = next
        return false
    }

    /// Records the reported positions, and passes the status to libpq.
    func put(_ waiting: WaitingStatus) throws(ConnectionError) {
        let status = waiting.status
        if let flaw = told.note(status, withdrawing: waiting.withdrawing) {
            throw ConnectionError(.falseStatus, "refused to report a false position to the server: \(flaw)")
        }
        var time = timespec()
        // clock_gettime fills the struct.
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        // Microseconds since 2000-01-01 UTC.
        let microseconds = (Int64(time.tv_sec) - 946_684_800) * 1_000_000 + Int64(time.tv_nsec) / 1000
        try sendCopyData(status.encoded(microseconds: microseconds))
    }
}
