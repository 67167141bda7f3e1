import Glibc
package import UnderstudyProtocol
package import UnderstudyWAL

/// The positions that a server was told on one connection. They do not go back: a server moves a slot to whatever it is
/// told, and removes WAL by that.
struct ToldPositions: Equatable {
    /// Since the last START_REPLICATION.
    private(set) var written = LSN.invalid
    /// Since the connection was made.
    private(set) var flushed = LSN.invalid

    /// Another timeline may begin before the end of what was written of the last one.
    mutating func beginStream() {
        written = .invalid
    }

    /// - Parameter withdrawing: Whether no flush position may be told where one was, which moves no slot.
    /// - Returns: Why that must not be sent; nil if it may, and is noted.
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
    /// The highest flush position that the server was told on this connection.
    package var toldFlushed: LSN { told.flushed }

    /// Sends START_REPLICATION.
    ///
    /// - Parameter slot: A physical slot, or nil.
    package func startReplication(slot: String?, from start: LSN, timeline: TimelineID) throws(ConnectionError) {
        told.beginStream()
        try send(ReplicationCommand.startReplication(slot: slot, from: start, timeline: timeline))
    }

    /// Sends a standby status update, with the time of this machine's clock.
    ///
    /// A position lower than one that was sent before is refused: the flushed one on the whole connection, the written one
    /// since the last START_REPLICATION. While the server does not read, only the newest one is kept for it.
    ///
    /// - Parameter withdrawing: Whether the server may be told no flush position though it was told one: it counts this
    ///   connection no more among its synchronous standbys then, and moves no slot.
    /// - Returns: Whether it is on its way.
    @discardableResult
    package func sendStatus(_ status: StandbyStatus, withdrawing: Bool = false) throws(ConnectionError) -> Bool {
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

    /// Notes what is told, and hands it to libpq.
    func put(_ waiting: WaitingStatus) throws(ConnectionError) {
        let status = waiting.status
        if let flaw = told.note(status, withdrawing: waiting.withdrawing) {
            throw ConnectionError(.falseStatus, "refused to report a false position to the server: \(flaw)")
        }
        var time = timespec()
        // clock_gettime fills the struct.
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        // Since 2000-01-01 UTC.
        let microseconds = (Int64(time.tv_sec) - 946_684_800) * 1_000_000 + Int64(time.tv_nsec) / 1000
        try sendCopyData(status.encoded(microseconds: microseconds))
    }
}
