import UnderstudyConnection
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

// To and from the writer.

extension NetworkLoop {
    /// Waits for a free block, unless one is being filled. While the disk holds them all, status updates are sent, so that
    /// the server does not give up.
    mutating func awaitBlock() throws(ReceiveError) {
        while piece == nil, freeBlock == nil {
            freeBlock = try writer.takeBlock(timeout: .seconds(1))
            if freeBlock != nil { return }
            try noteReport()
            if session.isInterrupted { throw ReceiveError(ConnectionError(.interrupted, "interrupted")) }
            try handle(.tick)
        }
    }

    /// Adds bytes to the block that is being filled, and submits it if it is full: pieces end at the block boundaries of the
    /// segment, and so do the bytes of one event.
    mutating func write(_ bytes: RawSpan, _ segment: WALSegmentName, _ offset: Int) throws(ReceiveError) {
        if offset < FirstPageCheck.byteCount {
            do throws(StreamError) { try pageCheck?.take(bytes, segment, offset) } catch { throw ReceiveError(error) }
        }
        if let block = freeBlock.take() {
            piece = WALWriter.Piece(block: block, segment: segment, offset: offset)
        }
        let count = piece!.block.append(bytes)
        precondition(count == bytes.byteCount, "a part of the WAL passed the end of its block")
        if (offset + count) % WALWriter.blockSize == 0 { submit() }
    }

    /// A stream to which nothing comes keeps no block from others.
    mutating func giveBackFreeBlock() {
        if let block = freeBlock.take() { writer.give(back: block) }
    }

    mutating func submit() {
        guard let piece else { return }
        writer.write(piece)
        self.piece = nil
    }

    /// - Returns: Whether the sync is already done, and in the report.
    mutating func sync() -> Bool {
        defer { piece = nil }
        guard machine.isSynchronous, !isFinished, !machine.isLeaving else {
            writer.sync(after: piece)
            return false
        }
        return writer.statusRepeater.lend(session, machine.status) { writer.syncAtOnce(after: piece) }
    }

    /// Passes what the writer has done to the machine.
    mutating func noteReport() throws(ReceiveError) {
        try queueReport()
        try handleFollowUps()
    }

    /// Queues what the writer has done as events.
    mutating func queueReport() throws(ReceiveError) {
        let report = writer.report()
        for segment in report.finished { observe(.segmentFinished(segment)) }
        if let failure = report.failure { throw ReceiveError(failure) }
        if (report.stall != nil) != isStalled {
            isStalled = report.stall != nil
            observe(report.stall.map { .stalled($0) } ?? .recovered)
        }
        try endIfStalled()
        guard report.timelines == timelines else { return }
        if let written = report.written { followUps.append(.written(written)) }
        if let synced = report.synced { followUps.append(.synced(synced)) }
        if let settled = report.settled { followUps.append(.settled(settled)) }
    }
}
