import Logging
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
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
        context.expectSilence(of: session)
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
        if !(command.tablespaceMap && version.hasTablespaceMap) { try checkLinks(start.archives) }
        started = start
        return start
    }

    /// The longest target of a symbolic link in a tar header.
    ///
    /// Source: tarCreateHeader, tar.c. Servers before 9.5 cut off what is longer.
    private static let longestLink = 99

    /// Refuses now what the server would find at the end of the data directory's archive.
    private func checkLinks(_ archives: [AnnouncedArchive]) throws(UnderstudyError) {
        for archive in archives {
            guard let oid = archive.oid, let location = archive.location, location.isAbsolutePath,
                location.utf8.count > Self.longestLink
            else { continue }
            throw UnderstudyError(
                .target,
                "tablespace directory \"\(location)\" of the primary has a path of \(location.utf8.count) bytes, and a copy in plain format can have \(Self.longestLink)",
                hint:
                    "Stop the primary, put a link with a shorter path to that directory into pg_tblspc/\(oid), and start it again; or take a base backup in tar format, where servers from 9.5 have no such limit."
            )
        }
    }

    func copy(into sink: some BackupSink, verification: ArrivalVerification) throws(UnderstudyError) {
        // Without WAL in the backup, the server may wait for its archive before the copy ends.
        if options.wal != .none { context.expectNoSilence(of: session) }
        session.standstillLimit = options.stallTimeout.map { $0 * Session.answerTimeFactor }
        if context.placeOnServer != nil {
            var watcher = CopyWatcher(session: session, meter: context.meter)
            try watcher.watch()
            session.standstillLimit = nil
            return context.expectSilence(of: session)
        }
        var reader = CopyReader(
            session: session, archives: started?.archives ?? [], compressed: options.compression.methodOnServer,
            sendsArchives: sink.needsServerOrder,
            feeder: try sink.makeFeeder(), verification: verification, meter: context.meter)
        try reader.read()
        session.standstillLimit = nil
        context.expectSilence(of: session)
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
