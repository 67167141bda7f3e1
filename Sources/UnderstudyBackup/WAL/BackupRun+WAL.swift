import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// Streams WAL during the copy.
extension BackupRun {
    /// - Parameter movesSlot: Whether no commit waited for a standby, so that the stream may advance its slot: see
    ///   ``FlushLimit``.
    func startWAL(
        _ session: Session, _ server: ServerFacts, into directory: ConfinedDirectory, at position: BackupPosition,
        movesSlot: Bool
    ) throws(UnderstudyError) {
        let movesSlot = movesSlot && slot?.keepsPosition != true
        logger.info("starting background WAL receiver")
        let writer = WALWriter(
            destination: BackupWALDirectory(directory: directory, fileMode: server.fileMode, syncs: options.sync))
        let interrupt = interrupt
        let receiver = WALReceiver(
            session: session, writer: writer, segmentSize: server.segmentSize,
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
            logger.info("replication slot \"\(name)\" is not moved while the copy is not complete")
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
