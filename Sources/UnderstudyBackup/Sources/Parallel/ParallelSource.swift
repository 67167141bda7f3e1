import Logging
import UnderstudyBackupFormat
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// A base backup over several ordinary connections: the low-level backup interface of SQL, and files read in pieces.
///
/// One connection holds the backup, which lasts as long as it does, and copies nothing.
final class ParallelSource: BackupSource {
    let context: SourceContext
    let sql: BackupSQL
    private var holder: Session?
    var facts: BackupSessionFacts?
    var isSuperuser = false
    var sessions: [Session] = []
    /// How many connections may copy at most.
    private var mostSessions = 0
    /// Whether the server was asked for anything that lasts.
    private(set) var hasBegun = false
    private(set) var table = FileTable()
    private(set) var archives: [AnnouncedArchive] = []
    private var stopped: BackupPosition?
    private var pages: PageCheck?

    init(_ context: SourceContext) {
        self.context = context
        sql = BackupSQL(context.server.version)
    }

    var keepsServerOrder: Bool { false }
    var takesTurns: Bool { true }
    var sendsManifest: Bool { false }
    var connections: BaseBackup.Connections { .parallel(mostSessions) }

    var options: BaseBackup.Options { context.options }

    // MARK: - Start

    func start() throws(UnderstudyError) -> BackupStart {
        let (holder, facts, isSuperuser) = try ParallelConnections(context).openFirst()
        self.holder = holder
        self.facts = facts
        self.isSuperuser = isSuperuser
        try openSessions(ParallelConnections(context, sameAs: facts), holder)
        hasBegun = true
        context.logger.info("initiating base backup, waiting for checkpoint to complete")
        context.meter.enter(.checkpoint)
        context.expectSilence(of: holder)
        let lsn = try holder.ask(sql.start(label: options.label, fast: options.checkpoint == .fast))
        let position = BackupPosition(lsn: lsn, timeline: try context.session.ask(.identifySystem).timeline)
        context.logger.info("checkpoint completed")
        if options.wal != .none {
            context.logger.info("write-ahead log start point: \(position.lsn) on timeline \(position.timeline)")
        }
        try listFiles()
        pages = try makePageCheck(readControlFile(holder).control, holder, start: position.lsn)
        var start = BackupStart(position: position, archives: archives)
        start.listing = table
        return start
    }

    /// Opens the connections that copy: fewer where the server has no more.
    private func openSessions(_ connections: ParallelConnections, _ holder: Session) throws(UnderstudyError) {
        mostSessions = options.connections.count
        var wanted = options.connections.first
        if options.connections.isAutomatic, let free = try? holder.ask(sql.freeConnections) {
            mostSessions = max(1, min(mostSessions, free / 2))
            wanted = min(wanted, mostSessions)
        }
        while sessions.count < wanted {
            do throws(UnderstudyError) { sessions.append(try connections.open()) } catch {
                guard error.isShortageOfConnections, !sessions.isEmpty else { throw error }
                // The WAL stream needs one, too.
                let countsSenders = error.isLimitOfRole || context.server.version.countsSendersAmongConnections
                if countsSenders, sessions.count > 1 { sessions.removeLast() }
                var metadata: Logger.Metadata = ["detail": "\(error.message)"]
                if error.isLimitOfRole, let remedy = error.remedy { metadata["hint"] = .stringConvertible(remedy) }
                context.logger.warning(
                    "\(sessions.count) of \(wanted) connections copy: the \(error.isLimitOfRole ? "role may have" : "server has") no more",
                    metadata: metadata)
                mostSessions = sessions.count
                return
            }
        }
        if options.connections.isAutomatic {
            context.logger.info("\(sessions.count) connections copy", metadata: .own)
        }
    }

    func listFiles() throws(UnderstudyError) {
        let session = sessions[0]
        archives = try session.ask(sql.tablespaces)
        let exclusions = BackupExclusions(version: sql.version, statisticsDirectory: try statisticsDirectory(session))
        var listing = FileListing(session, sql, exclusions: exclusions)
        for index in archives.indices { archives[index].size = try listing.list(archives[index], index: index) }
        table = listing.table
        let leftOut = listing.leftOut
        guard leftOut.count > 0 else { return }
        context.logger.warning(
            "\(leftOut.count == 1 ? "1 file or directory" : "\(leftOut.count) files or directories") of the server cannot be read, and will not be in the copy: \(leftOut.list)",
            metadata: [
                "hint":
                    "If the copy is to have them, let the server's user read them there; if not, remove them or the link that leads to them."
            ])
    }

    /// Where servers before 15 keep what they count, if that is in the data directory and the role may know it. What is
    /// there is of no use to a copy, and changes all the time.
    private func statisticsDirectory(_ session: Session) throws(UnderstudyError) -> MemberPath? {
        guard sql.version.keepsStatisticsInFiles, isSuperuser else { return nil }
        let places = try session.ask(sql.statisticsPlaces)
        return BackupExclusions.directory(ofSetting: places.setting, in: places.dataDirectory)
    }

    // MARK: - Copy

    func copy(into sink: some BackupSink, verification: ArrivalVerification) throws(UnderstudyError) {
        let holder = holder!
        context.expectNoSilence(of: holder)
        for session in sessions { session.standstillLimit = options.stallTimeout.map { $0 * Session.answerTimeFactor } }
        try sink.removeSurplus(besides: table, of: archives)
        var feeder = try sink.makeFeeder()
        let directories = try listDirectories(), data = archives.firstIndex { $0.oid == nil }!
        let queue: BackupQueue
        if sink.takesTurns {
            // The data directory comes last: it ends with what the end of the backup brings.
            let others = archives.indices.filter { $0 != data }
            queue = makeQueue(.inTurn(archives: (others + [data]).map { ($0, directories[$0]) }))
        } else {
            try feed(directories, into: &feeder)
            let cuts = sink.takesPieces && [.crc32c, .none].contains(options.manifestChecksum)
            queue = makeQueue(.largestFirst(cutsFiles: cuts))
        }
        try copyFiles(of: queue, into: sink, holder)
        try feeder.beginTurn(BackupTurn(number: queue.turns, isLast: true))
        try feeder.beginArchive(archives[data])
        try feedEnd(into: &feeder, holder)
        try feeder.endTurn()
        try feeder.drain()
        for _ in archives { context.meter.tablespaceDone() }
        if options.existing != .refused {
            let kept = Quantity.bytes(context.meter.bytesPresent), all = Quantity.bytes(context.meter.bytesDone)
            context.logger.notice("\(kept) of \(all) were there already; the rest was sent")
        }
    }

    private func makeQueue(_ order: BackupQueue.Order) -> BackupQueue {
        BackupQueue(
            table, leavingOut: { table.serverPath($0) == HeldMember.path }, order: order,
            fileMode: context.server.fileMode)
    }

    /// The directories of each archive, and the links in them.
    private func listDirectories() throws(UnderstudyError) -> [[TarEntry]] {
        var entries = Array(repeating: [TarEntry](), count: archives.count)
        for directory in table.directories where !directory.member.isEmpty {
            entries[directory.archive].append(
                TarEntry(
                    path: try FileTable.path(directory.member), kind: .directory, mode: context.server.directoryMode,
                    modificationTime: Self.now))
            if directory.path == FileListing.tablespaces { entries[directory.archive] += try links() }
        }
        return entries
    }

    /// The links to tablespaces outside of the data directory.
    private func links() throws(UnderstudyError) -> [TarEntry] {
        guard !context.wantsTablespaceMap else { return [] }
        var links: [TarEntry] = []
        for archive in archives {
            guard let oid = archive.oid, let location = archive.location, location.isAbsolutePath else { continue }
            links.append(
                TarEntry(
                    path: try FileTable.path(Array("\(FileListing.tablespaces)/\(oid)".utf8)),
                    kind: .symbolicLink(target: Array(location.utf8)), mode: 0o777, modificationTime: Self.now))
        }
        return links
    }

    private func feed(
        _ directories: [[TarEntry]], into feeder: inout some MemberFeeder
    ) throws(UnderstudyError) {
        for (archive, entries) in zip(archives, directories) where !entries.isEmpty {
            try feeder.beginArchive(archive)
            for entry in entries {
                try feeder.begin(entry)
                try feeder.end()
            }
        }
    }

    /// Copies all files but pg_control, on a thread for each connection.
    private func copyFiles(
        of queue: BackupQueue, into sink: some BackupSink, _ holder: Session
    ) throws(UnderstudyError) {
        let work = BackupWork(
            queue: queue, connections: ParallelConnections(context, sameAs: facts), archives: archives, sql: sql,
            pages: pages, pacer: options.maxRate.map { RatePacer($0, interrupt: context.interrupt) },
            meter: context.meter, logger: context.logger, interrupt: context.interrupt)
        let crew = BackupCrew(work), copy = GrowingCopy(work, crew, sink)
        var growth = ConnectionGrowth(from: sessions.count, to: mostSessions)
        let clock = ContinuousClock(), began = clock.now
        do throws(UnderstudyError) {
            for session in sessions { try copy.start(session) }
            try crew.wait(watching: holder) { () throws(UnderstudyError) in
                _ = try whileHeld { () throws(UnderstudyError) in try holder.ask(sql.identity) }
            } sampling: { () throws(UnderstudyError) in
                try copy.sample(&growth, at: clock.now - began)
            }
        } catch {
            crew.stop()
            throw error
        }
    }

    // MARK: - End

    /// Ends the backup on the server, and feeds what it says then. The file that makes the copy a data directory comes last:
    /// without backup_label, a server would start from it and miss what was written meanwhile. It is read before the end,
    /// as BASE_BACKUP does.
    private func feedEnd(into feeder: inout some MemberFeeder, _ holder: Session) throws(UnderstudyError) {
        let control = try whileHeld { () throws(UnderstudyError) in try readControlFile(holder).bytes }
        context.expectSilence(of: holder)
        let stopped = try whileHeld { () throws(UnderstudyError) in
            try holder.ask(sql.stop(waits: options.wal == .none))
        }
        self.stopped = BackupPosition(lsn: stopped.lsn, timeline: try context.session.ask(.identifySystem).timeline)
        var files = [("backup_label", Array(stopped.label.utf8))]
        if context.wantsTablespaceMap, !stopped.tablespaceMap.isEmpty {
            files.append(("tablespace_map", Array(stopped.tablespaceMap.utf8)))
        }
        files.append((HeldMember.path, control))
        for (name, content) in files {
            try feeder.begin(entry(try FileTable.path(Array(name.utf8)), content.count))
            try feeder.content(content.rawSpan)
            try feeder.end()
        }
        context.meter.count(bytes: control.count)
    }

    func end() throws(UnderstudyError) -> BackupEnd {
        guard let end = stopped else { throw UnderstudyError(.protocolViolation, "server did not end the backup") }
        if options.wal != .none { context.logger.info("write-ahead log end point: \(end.lsn)") }
        holder = nil
        sessions = []
        return BackupEnd(position: end, damage: pages?.failure)
    }
}
