import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// Streams WAL during the copy.
extension BackupRun {
    /// The connection that streams WAL, and its slot.
    struct WALConnection {
        var session: Session
        /// The record of a permanent slot that was made, for the next run if this one is killed.
        var madeSlot: UnfinishedRecord.Slot?
        /// Whether no commit waits for a standby, so that the stream may advance its slot: see ``FlushLimit``.
        var movesSlot = false
    }

    /// Makes the second connection and the slot, before anything is made here: a server without a free WAL sender
    /// refuses it now.
    ///
    /// - Returns: nil if WAL is not streamed.
    func prepareWAL(_ server: ServerFacts) throws(UnderstudyError) -> WALConnection? {
        guard options.wal == .stream else { return nil }
        var wal = WALConnection(session: try connect())
        try checkSameServer(wal.session, server)
        let position = try checkHolds(wal.session)
        if options.slot != .none { wal.movesSlot = try wal.session.commitsWaitForNobody() }
        slot = try BackupSlot(
            wantedSlot, temporaryPrefix: options.temporarySlotPrefix, session: wal.session, identity: server.identity,
            segmentSize: server.segmentSize,
            holds: position, mayMove: wal.movesSlot, logger: logger)
        if let name = slot?.made { wal.madeSlot = leftSlot(name, wal.session, server) }
        return wal
    }

    /// A slot of the interrupted run that could not be dropped is taken over, if it is the one that is to be made.
    var wantedSlot: ReplicationSlot {
        if case .create(let name) = options.slot, name == slotOfInterrupted { return .createIfMissing(name) }
        return options.slot
    }

    func startWAL(
        _ wal: WALConnection, _ server: ServerFacts, into destination: any WALDestination, at position: BackupPosition
    ) throws(UnderstudyError) {
        let movesSlot = wal.movesSlot && slot?.keepsPosition != true && target.keepsSyncedWAL
        logger.info("starting background WAL receiver")
        if let announcement = slot?.announcement { logger.info("\(announcement)") }
        let writer = WALWriter(destination: destination)
        let interrupt = interrupt
        let receiver = WALReceiver(
            session: wal.session, writer: writer, segmentSize: server.segmentSize,
            policy: .init(
                statusInterval: options.statusInterval == .zero ? nil : options.statusInterval,
                silenceLimit: options.stallTimeout,
                flushLimit: movesSlot ? server.identity.position : .invalid)
        ) { interrupt.raise() }
        do throws(FileIOError) {
            try receiver.start(.init(position: position.lsn, timeline: position.timeline, slot: slot?.streamed))
        } catch { throw UnderstudyError(error) }
        self.receiver = receiver
        guard let name = slot?.streamed else { return }
        if movesSlot {
            flushLimit = FlushLimit(
                of: receiver, parameters: parameters, identity: server.identity, logger: logger)
        } else {
            logger.info("replication slot \"\(name)\" is not moved while the copy is not complete", metadata: .own)
        }
    }

    func finishWAL(at position: LSN) throws(UnderstudyError) {
        guard let receiver else { return }
        flushLimit?.stop()
        logger.info("waiting for background process to finish streaming ...")
        do throws(ReceiveError) { try receiver.finish(at: position) } catch { throw UnderstudyError(error) }
        self.receiver = nil
    }
}
