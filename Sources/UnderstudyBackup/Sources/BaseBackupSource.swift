import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyProtocol

/// BASE_BACKUP: the server sends everything over one connection.
final class BaseBackupSource: BackupSource {
    let context: SourceContext
    private var started: BackupStart?

    init(_ context: SourceContext) {
        self.context = context
    }

    var keepsServerOrder: Bool { true }

    private var session: Session { context.session }
    private var options: BaseBackup.Options { context.options }

    func start() throws(UnderstudyError) -> BackupStart {
        let version = context.server.version, logger = context.logger
        if options.maxRate != nil && !version.limitsBackupRate {
            logger.warning("server version \(version) cannot limit its rate; it sends as fast as it can")
        }
        if let manifest = context.priorManifest {
            context.meter.enter(.uploadingManifest)
            try manifest.upload(session)
        }
        logger.info("initiating base backup, waiting for checkpoint to complete")
        context.meter.enter(.checkpoint)
        expectSilence()
        var command = options.command
        command.tablespaceMap = context.wantsTablespaceMap
        command.target = context.placeOnServer.map { ($0.name, $0.detail) }
        command.incremental = context.priorManifest != nil
        do throws(ConnectionError) { try session.send(command.text(for: version)) } catch {
            throw UnderstudyError(error)
        }
        let position = try session.nextRows(attempt: "could not initiate base backup") {
            rows throws(ProtocolError) in try BackupPosition(rows)
        }
        logger.info("checkpoint completed")
        if options.wal != .none {
            logger.info("write-ahead log start point: \(position.lsn) on timeline \(position.timeline)")
        }
        let start = BackupStart(position: position, archives: try session.nextRows(AnnouncedArchive.decode))
        started = start
        return start
    }

    func copy(into sink: some BackupSink, verification: BackupVerification) throws(UnderstudyError) {
        // Without WAL in the backup, the server may wait for its archive before the copy ends.
        if options.wal != .none { expectNoSilence() }
        session.standstillLimit = options.stallTimeout.map { $0 * Session.answerTimeFactor }
        if context.placeOnServer != nil {
            var watcher = CopyWatcher(session: session, meter: context.meter)
            try watcher.watch()
            session.standstillLimit = nil
            return expectSilence()
        }
        var reader = CopyReader(
            session: session, archives: started?.archives ?? [], compressed: options.compression.methodOnServer,
            sendsArchives: sink.needsServerOrder,
            feeder: try sink.makeFeeder(), verification: verification, meter: context.meter)
        try reader.read()
        session.standstillLimit = nil
        expectSilence()
    }

    /// Reads the stop position. A server that found damaged pages sends it too, followed by an error.
    func end() throws(UnderstudyError) -> BackupEnd {
        let position = try session.nextRows { rows throws(ProtocolError) in try BackupPosition(rows) }
        if options.wal != .none { context.logger.info("write-ahead log end point: \(position.lsn)") }
        do throws(ConnectionError) {
            while try session.nextResult() != .none {}
        } catch  where error.sqlState == "XX001" {
            var damage = UnderstudyError(error)
            damage.message = "server found damaged pages: \(error.message)"
            return BackupEnd(position: position, damage: damage)
        } catch { throw UnderstudyError(error) }
        return BackupEnd(position: position)
    }
}
