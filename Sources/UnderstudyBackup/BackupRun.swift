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
    let target: any BackupTarget
    private let makeSource: (SourceContext) -> any BackupSource
    /// Pinned to the server of the first connection, so that later connections reach the same one.
    package internal(set) var parameters: ConnectionParameters
    let interrupt: Interrupt
    /// One for the whole run, so that one refusal is enough.
    package let queryAccess = QueryAccess()
    /// Raised only if the run is cancelled from outside; the run's own failures raise just `interrupt`.
    package let hurry: Interrupt
    let meter: ProgressMeter
    let logger: Logger

    var slot: BackupSlot?
    /// The connection that takes the backup.
    var session: Session?
    var receiver: WALReceiver?
    var flushLimit: FlushLimit?
    /// The slot of the interrupted run that this one goes on from.
    var slotOfInterrupted: String?

    /// Whether the caller may still remove a complete backup with ``undo()``. If it does not, it calls ``keep()``.
    package var callerMayRemove = false
    /// The end position of a complete copy, and its server.
    var completed: (end: BackupPosition, server: ServerFacts)?

    package init(
        options: BaseBackup.Options, target: any BackupTarget, parameters: ConnectionParameters, interrupt: Interrupt,
        hurry: Interrupt, meter: ProgressMeter, logger: Logger,
        makeSource: @escaping (SourceContext) -> any BackupSource = SourceContext.chooseSource
    ) {
        self.options = options
        self.target = target
        self.parameters = parameters
        self.interrupt = interrupt
        self.hurry = hurry
        self.meter = meter
        self.logger = logger
        self.makeSource = makeSource
    }

    /// Facts about the server and its connection, for callers that add files to the backup.
    package struct Facts {
        package var server: ServerFacts
        package var slotName: String?
        package var slotWasMade: Bool
        /// The settings in effect on the backup connection: PQconninfo.
        package var settings: [ConnectionParameters.Setting]
        /// The password that was used, from any source; nil if the server asked for none.
        package var password: String?
    }

    /// Takes the backup.
    ///
    /// - Parameters:
    ///   - inspect: Checks the server before anything is made.
    ///   - addFiles: Adds files to the target before it is made durable: after the members have come, or before that if
    ///     the target needs it so.
    package func run(
        inspect: (Session, ServerFacts) throws(UnderstudyError) -> Void,
        addFiles: (Facts) throws(UnderstudyError) -> Void
    ) throws(UnderstudyError) -> BackupResult {
        do throws(UnderstudyError) {
            return try attempt(inspect, addFiles)
        } catch {
            throw cleanUp(after: explainingLostSlot(rootCause(error)))
        }
    }

    // MARK: - The run

    private func attempt(
        _ inspect: (Session, ServerFacts) throws(UnderstudyError) -> Void,
        _ addFiles: (Facts) throws(UnderstudyError) -> Void
    ) throws(UnderstudyError) -> BackupResult {
        try BackupOptionRules.check(options)
        let left = try target.check()
        let session = try connect()
        self.session = session
        parameters = parameters.pinned(to: session)
        let server = try ServerFacts(session, logger: logger)
        try BackupOptionRules.check(options, target.placeOnServer, against: server.version)
        let priorManifest = try options.incrementalManifest.map { path throws(UnderstudyError) in
            try PriorManifest(path, interrupt: interrupt)
        }
        try target.check(against: server)
        try checkNames(session)
        if let left {
            try dropSlot(of: left, session, server)
            if options.existing != .refused { slotOfInterrupted = left.slot?.name }
        }
        try inspect(session, server)
        try checkWALLevel(session, server)
        let wal = try prepareWAL(server)
        let source = makeSource(
            SourceContext(
                session: session, server: server, options: options, wantsTablespaceMap: target.wantsTablespaceMap,
                placeOnServer: target.placeOnServer, priorManifest: priorManifest,
                parameters: parameters, interrupt: interrupt,
                meter: meter, logger: logger))
        let start = try source.start()
        note(start)
        try target.prepare(
            BackupPlan(
                server: server, archives: start.archives, slot: wal?.madeSlot, connections: source.connections,
                listing: start.listing))
        if let wal { try startWAL(wal, server, into: target.makeWALDestination(), at: start.position) }
        let facts = Facts(
            server: server, slotName: slot?.permanent, slotWasMade: slot?.made != nil,
            settings: session.settingsForStandby, password: session.password)
        if target.takesEditsFirst { try addFiles(facts) }
        let verification = makeVerification(server, source)
        try copy(from: source, to: target, verification)
        let end = try end(source, after: start)
        if target.placeOnServer == nil { try verification.checkControlFile() }
        for file in end.files { _ = try target.add(file) }
        try target.finishMembers()
        meter.enter(.finishingWAL)
        try finishWAL(at: end.position.lsn)
        try slot?.checkHeld(session)
        let ranges = try checkTimeline(session, from: start.position, to: end.position)
        let verifiedFiles = try verification.finish(from: start.position, to: end.position, ranges)
        meter.enter(.configuring)
        if !target.takesEditsFirst { try addFiles(facts) }
        try checkInterrupt()
        meter.enter(.syncing)
        try target.makeDurable(hasManifest: verification.hasManifest)
        // The backup is complete and stays; the run fails nevertheless.
        if let damage = end.damage { throw damage }
        try checkInterrupt()
        completed = (end.position, server)
        try moveSlotToEnd(session, isForGood: !callerMayRemove)
        self.session = nil
        logger.info("base backup completed")
        return BackupResult(
            startLSN: start.position.lsn, endLSN: end.position.lsn, timeline: end.position.timeline,
            verifiedFiles: verifiedFiles, bytes: meter.bytesDone, serverVersion: server.version.number,
            systemIdentifier: server.identity.systemIdentifier, keptBytes: meter.bytesPresent)
    }

    private func checkInterrupt() throws(UnderstudyError) {
        if interrupt.isRaised { throw UnderstudyError(.cancelled, "the base backup was cancelled") }
    }

    // MARK: - The copy

    private func note(_ start: BackupStart) {
        let sizes = start.archives.compactMap(\.size)
        meter.set(
            total: sizes.isEmpty ? nil : sizes.reduce(0) { $0.addingSaturated($1) },
            tablespaces: start.archives.count)
    }

    private func makeVerification(_ server: ServerFacts, _ source: any BackupSource) -> ArrivalVerification {
        let target = target
        let hasManifest = options.manifest && server.version.hasManifest && target.placeOnServer == nil
        return ArrivalVerification(
            .init(
                version: server.version, systemIdentifier: server.identity.systemIdentifier,
                algorithm: hasManifest ? ChecksumAlgorithm(rawValue: options.manifestChecksum.rawValue) : nil),
            !hasManifest ? .none : source.sendsManifest ? .sent : .made(encodesAll: options.manifestForceEncode)
        ) { () throws(UnderstudyError) in try target.makeManifestOutput() }
    }

    private func copy(
        from source: any BackupSource, to target: some BackupTarget, _ verification: ArrivalVerification
    ) throws(UnderstudyError) {
        meter.enter(.copying)
        let sink = try target.makeSink(verification.observer)
        defer { sink.close() }
        guard !sink.needsServerOrder || source.keepsServerOrder || source.takesTurns && sink.takesTurns else {
            throw UnderstudyError(
                .options, "\(target.name) needs the files in the server's order, in which they do not come here")
        }
        try source.copy(into: sink, verification: verification)
        // The last figures of the copy come before what is said of its end.
        meter.enter(verification.expectsManifest ? .verifying : .finishingWAL)
        meter.note(file: nil)
        meter.settle()
    }

    private func end(_ source: any BackupSource, after start: BackupStart) throws(UnderstudyError) -> BackupEnd {
        var end = try source.end()
        guard end.position.lsn >= start.position.lsn else {
            throw UnderstudyError(
                ProtocolError(
                    "server ended the backup at \(end.position.lsn), before its start at \(start.position.lsn)"))
        }
        let files = end.damage?.detail == nil ? "The warnings above name the files; c" : "C"
        end.damage?.hint =
            "The backup in \(target.name) is kept. \(files)heck the primary with pg_amcheck, and its storage."
        return end
    }
}
