package import Logging
import UnderstudyBackupFormat
import UnderstudyConfiguration
package import UnderstudyConnection
package import UnderstudyCore
package import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyStreaming
import UnderstudyWAL

/// One base backup, from the local checks to the last sync. Runs on its own thread.
///
/// The order, and why: local checks come before the server is asked for anything; both connections and the slot exist
/// before the first directory is made; free space is checked before the first byte.
package final class BackupRun: @unchecked Sendable {
    // Sendable: used by one thread at a time; a clone runs `run` to its end on one thread before it uses another.
    let options: BaseBackup.Options
    /// The data directory, as an absolute path.
    package let path: String
    /// Pinned to the server of the first connection, so that later connections reach the same one.
    package private(set) var parameters: ConnectionParameters
    let interrupt: Interrupt
    /// Raised only if the run is cancelled from outside; the run's own failures raise just `interrupt`.
    package let hurry: Interrupt
    let meter: ProgressMeter
    let logger: Logger

    /// The directories to undo if the run fails.
    var targets: BackupTargets?
    var slot: BackupSlot?
    /// The connection that takes the backup.
    var session: Session?
    var receiver: WALReceiver?
    var flushLimit: FlushLimit?
    var pool: WritePool?

    /// Whether the caller may still remove a complete backup with ``undo()``. If it does not, it calls ``keep()``.
    package var callerMayRemove = false
    /// The end position of a complete copy, and its server.
    private var completed: (end: BackupPosition, server: ServerFacts)?

    package init(
        options: BaseBackup.Options, path: String, parameters: ConnectionParameters, interrupt: Interrupt,
        hurry: Interrupt, meter: ProgressMeter, logger: Logger
    ) {
        self.options = options
        self.path = absolutePath(path)
        self.parameters = parameters
        self.interrupt = interrupt
        self.hurry = hurry
        self.meter = meter
        self.logger = logger
    }

    /// Facts about a complete copy, for callers that add files to it.
    package struct Completed {
        package var directory: ConfinedDirectory
        package var server: ServerFacts
        package var slotName: String?
        package var slotWasMade: Bool
        /// The settings in effect on the backup connection: PQconninfo.
        package var settings: [ConnectionParameters.Setting]
        /// Whether the server asked for a password: PQconnectionUsedPassword.
        package var usedPassword: Bool
    }

    /// Takes the backup.
    ///
    /// - Parameters:
    ///   - inspect: Checks the server before anything is made.
    ///   - complete: Adds files to the data directory before it is synced.
    package func run(
        inspect: (Session, ServerFacts) throws(UnderstudyError) -> Void,
        complete: (Completed) throws(UnderstudyError) -> Void
    ) throws(UnderstudyError) -> BackupResult {
        do throws(UnderstudyError) {
            return try attempt(inspect, complete)
        } catch {
            throw cleanUp(after: explainingLostSlot(rootCause(error)))
        }
    }

    // MARK: - The run

    private func attempt(
        _ inspect: (Session, ServerFacts) throws(UnderstudyError) -> Void,
        _ complete: (Completed) throws(UnderstudyError) -> Void
    ) throws(UnderstudyError) -> BackupResult {
        let left = try checkOptions()
        let session = try connect()
        self.session = session
        parameters = parameters.pinned(to: session)
        let server = try ServerFacts(session, logger: logger)
        try checkNames(session)
        if let left { try dropSlot(of: left, session, server) }
        try inspect(session, server)
        try checkWALLevel(session, server)
        // The second connection comes before anything is made: a server without a free WAL sender refuses it now.
        let walSession = options.wal == .stream ? try connect() : nil
        if let walSession { try checkSameServer(walSession, server) }
        var mayMove = false
        if let walSession {
            let position = try checkHolds(walSession)
            if options.slot != .none { mayMove = try walSession.commitsWaitForNobody() }
            slot = try BackupSlot(
                options.slot, session: walSession, identity: server.identity, segmentSize: server.segmentSize,
                holds: position, mayMove: mayMove, logger: logger)
        }
        var madeSlot: UnfinishedRecord.Slot?
        if let name = slot?.made, let walSession { madeSlot = leftSlot(name, walSession, server) }
        if options.maxRate != nil && !server.version.limitsBackupRate {
            logger.warning("server version \(server.version) cannot limit its rate; it sends as fast as it can")
        }
        let (position, archives) = try startBackup(session, server)
        let layout = try TablespaceLayout(archives, options: options, dataDirectory: path)
        try layout.checkUnmapped(options, logger)
        let targets = try BackupTargets(
            path: path, mode: server.directoryMode, owner: options.owner?.fileOwner, syncs: options.sync,
            syncMethod: options.syncMethod, leftovers: leftovers, slot: madeSlot,
            takesMode: options.takesTargetMode, interrupt: interrupt)
        self.targets = targets
        warnOfMode(targets, server)
        let plans = try layout.makeRoots(targets, archives)
        try SpaceCheck.check(plans)
        if options.wal == .stream || options.walDirectory != nil {
            let directory = try targets.makeWALDirectory(
                named: server.version.walDirectoryName, at: options.walDirectory)
            // WAL is acknowledged from here on, so a crash must not lose the names that lead to it.
            if options.sync { try targets.syncNames() }
            if let walSession { try startWAL(walSession, server, into: directory, at: position, movesSlot: mayMove) }
        }
        // Without WAL in the backup, the server may wait for its archive before the copy ends.
        if options.wal != .none { expectNoSilence(session) }
        session.standstillLimit = options.stallTimeout.map { $0 * Session.answerTimeFactor }
        let copied = try copy(session, server, targets, layout, plans)
        session.standstillLimit = nil
        expectSilence(session)
        let end = try finishBackup(session, position)
        try layout.makeMissingLinks(copied.linked, targets, logger)
        meter.enter(.finishingWAL)
        try finishWAL(at: end.position.lsn)
        try slot?.checkHeld(session)
        try checkTimeline(session, targets, server.version, from: position, to: end.position)
        let verifiedFiles = try copied.verifier.finish(from: position, to: end.position, sync: options.sync)
        meter.enter(.configuring)
        try complete(
            Completed(
                directory: targets.directory, server: server, slotName: slot?.permanent,
                slotWasMade: slot?.made != nil, settings: session.settingsForStandby,
                usedPassword: session.password != nil))
        try makeDurable(targets, hasManifest: verifiedFiles != nil)
        if let damage = end.damage {
            // The backup is complete and stays; the run fails nevertheless.
            throw damage
        }
        if interrupt.isRaised { throw UnderstudyError(.cancelled, "the base backup was cancelled") }
        completed = (end.position, server)
        try moveSlotToEnd(session, isForGood: !callerMayRemove)
        self.session = nil
        logger.info("base backup completed")
        return BackupResult(
            startLSN: position.lsn, endLSN: end.position.lsn, timeline: end.position.timeline,
            verifiedFiles: verifiedFiles, bytes: meter.bytesDone, serverVersion: server.version.number,
            systemIdentifier: server.identity.systemIdentifier)
    }

    /// Keeps a complete backup and moves its slot to its end. For a caller that could have removed the backup.
    package func keep() throws(UnderstudyError) {
        try moveSlotToEnd(nil, isForGood: true)
    }

    private func moveSlotToEnd(_ session: Session?, isForGood: Bool) throws(UnderstudyError) {
        guard let slot, slot.permanent != nil, let (end, server) = completed else { return }
        try slot.moveToEnd(end, segmentSize: server.segmentSize, isForGood: isForGood, logger: logger) {
            () throws(UnderstudyError) in
            if let session { return session }
            // A short limit, so that a problem of the standby is reported soon.
            return try connect(patience: .seconds(10))
        }
    }

    /// - Returns: The earlier run whose files are to be removed from here, if any.
    private func checkOptions() throws(UnderstudyError) -> UnfinishedDirectory? {
        try BackupOptionRules.check(options, dataDirectory: path)
        let left = try leftovers.check(path, .target)
        if let wal = options.walDirectory { try leftovers.check(wal, .wal) }
        for mapping in options.tablespaceMappings { try leftovers.check(mapping.new, .tablespace) }
        return left
    }

    var leftovers: LeftoverPolicy {
        LeftoverPolicy(
            removes: options.forceClean, trust: TrustedUsers(owner: options.owner?.fileOwner), interrupt: interrupt,
            logger: logger)
    }

    /// - Parameter patience: Replaces `options.stallTimeout`; nil to use that.
    private func connect(patience: Duration? = nil) throws(UnderstudyError) -> Session {
        let logger = logger
        do throws(ConnectionError) {
            return try Session.connect(
                parameters, kind: .replication, applicationName: "understudy", interrupt: interrupt,
                patience: patience ?? options.stallTimeout, notices: logger.passingOn())
        } catch { throw WALSendersInUse.explain(error, parameters, interrupt, except: session?.backendProcessID) }
    }

    /// One address may lead to several servers, and WAL of another cluster would corrupt the backup.
    private func checkSameServer(_ session: Session, _ server: ServerFacts) throws(UnderstudyError) {
        let found = try session.ask(.identifySystem).systemIdentifier
        guard found != server.identity.systemIdentifier else { return }
        throw UnderstudyError(
            .connection, "the second connection reached another database cluster than the first one",
            detail: "The system identifiers are \(server.identity.systemIdentifier) and \(found).",
            hint: "Name one server: the address stands for several, by a balancer, a virtual address or DNS.")
    }

    private func checkWALLevel(_ session: Session, _ server: ServerFacts) throws(UnderstudyError) {
        guard server.version.showsSettings else { return }
        let level = try session.show("wal_level")
        let findings = Preflight.walLevel(level, serverVersion: server.version.number, hotStandby: false)
        if let finding = findings.first { throw UnderstudyError(finding, .server) }
    }

    // MARK: - BASE_BACKUP

    private func startBackup(
        _ session: Session, _ server: ServerFacts
    ) throws(UnderstudyError) -> (BackupPosition, [AnnouncedArchive]) {
        logger.info("initiating base backup, waiting for checkpoint to complete")
        meter.enter(.checkpoint)
        expectSilence(session)
        do throws(ConnectionError) { try session.send(options.command.text(for: server.version)) } catch {
            throw UnderstudyError(error)
        }
        let position = try session.nextRows { rows throws(ProtocolError) in
            try BackupPosition(rows)
        }
        logger.info("checkpoint completed")
        if options.wal != .none {
            logger.info("write-ahead log start point: \(position.lsn) on timeline \(position.timeline)")
        }
        let archives = try session.nextRows(AnnouncedArchive.decode)
        let sizes = archives.compactMap(\.size)
        meter.set(
            total: sizes.isEmpty ? nil : sizes.reduce(0) { $0.addingSaturated($1) },
            tablespaces: archives.count)
        return (position, archives)
    }

    private func copy(
        _ session: Session, _ server: ServerFacts, _ targets: BackupTargets, _ layout: TablespaceLayout,
        _ plans: [CopyReader.ArchivePlan]
    ) throws(UnderstudyError) -> (verifier: VerifierBox, linked: Set<UInt32>) {
        meter.enter(.copying)
        let ledger = Ledger(), interrupt = interrupt
        let hasManifest = options.manifest && server.version.hasManifest
        let algorithm = hasManifest ? ChecksumAlgorithm(rawValue: options.manifestChecksum.rawValue) : nil
        let pool = WritePool(
            ledger: ledger, algorithm: algorithm, interrupt: interrupt
        ) { interrupt.raise() }
        self.pool = pool
        let writers = try pool.start()
        defer {
            pool.close()
            for writer in writers { writer.join() }
        }
        let sink = try DirectorySink(
            dataRoot: targets.root(targets.data, prefix: nil),
            walRoot: targets.wal.map { targets.root($0, prefix: nil) }, premade: targets.premade,
            version: server.version,
            rules: MemberRules(version: server.version, includesWAL: options.wal == .fetch),
            directoryMode: server.directoryMode, tablespaceLinks: layout.links, filler: BatchFiller(pool: pool))
        var reader = CopyReader(session: session, archives: plans, sink: sink, meter: meter) {
            sink throws(UnderstudyError) in
            try sink.drain()
            return try ManifestVerifier(
                directory: targets.directory, mode: server.fileMode, ledger: ledger,
                expected: .init(
                    version: server.version, systemIdentifier: server.identity.systemIdentifier, algorithm: algorithm))
        }
        let verifier = VerifierBox(try reader.read(expectsManifest: hasManifest))
        if reader.executables.count > 0 {
            logger.notice(
                "files that are executable on the primary are not so here: \(reader.executables.list)")
        }
        return (verifier, reader.linked)
    }

    /// Reads the stop position. A server that found damaged pages sends it too, followed by an error.
    private func finishBackup(
        _ session: Session, _ start: BackupPosition
    ) throws(UnderstudyError) -> (position: BackupPosition, damage: UnderstudyError?) {
        let position = try session.nextRows { rows throws(ProtocolError) in
            try BackupPosition(rows)
        }
        guard position.lsn >= start.lsn else {
            throw UnderstudyError(
                ProtocolError("server ended the backup at \(position.lsn), before its start at \(start.lsn)"))
        }
        if options.wal != .none { logger.info("write-ahead log end point: \(position.lsn)") }
        do throws(ConnectionError) {
            while try session.nextResult() != .none {}
        } catch  where error.sqlState == "XX001" {
            var damage = UnderstudyError(error)
            damage.message = "server found damaged pages: \(error.message)"
            damage.hint =
                "The backup in \"\(path)\" is kept. The warnings above name the files; check the primary with pg_amcheck, and its storage."
            return (position, damage)
        } catch { throw UnderstudyError(error) }
        return (position, nil)
    }

    private func makeDurable(_ targets: BackupTargets, hasManifest: Bool) throws(UnderstudyError) {
        if interrupt.isRaised { throw UnderstudyError(.cancelled, "the base backup was cancelled") }
        meter.enter(.syncing)
        if options.sync {
            logger.info("syncing data to disk ...")
            try targets.sync()
        }
        if hasManifest { try nameManifest(targets) }
        try targets.removeMarks()
    }

    private func nameManifest(_ targets: BackupTargets) throws(UnderstudyError) {
        // The stock tool's wording for this step, which callers may look for.
        logger.info("renaming backup_manifest.tmp to backup_manifest")
        do throws(FileIOError) {
            try targets.directory.rename(ManifestVerifier.temporaryName, to: ManifestVerifier.name)
            if options.sync { try targets.directory.sync() }
        } catch { throw UnderstudyError(error) }
    }
}
