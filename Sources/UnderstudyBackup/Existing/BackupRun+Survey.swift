package import UnderstudyConnection
package import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

extension BackupRun {
    /// The checks of a run, and a comparison in place of its copy.
    ///
    /// - Parameter inspect: As for a run.
    package func survey(
        _ target: DirectoryTarget, inspect: (Session, ServerFacts) throws(UnderstudyError) -> Void = { _, _ in },
        report: @escaping (BaseBackup.SurveyedPath) -> Void
    ) throws(UnderstudyError) -> BaseBackup.Survey {
        guard options.existing != .refused else {
            throw UnderstudyError(
                .options, "only a directory that may have contents is compared",
                remedy: "Say what it may hold: \(.updateExisting) or \(.resume).")
        }
        try BackupOptionRules.check(options)
        slotOfInterrupted = try target.check()?.slot?.name
        let session = try connect()
        self.session = session
        defer { self.session = nil }
        parameters = parameters.pinned(to: session)
        let server = try ServerFacts(session, logger: logger)
        try BackupOptionRules.check(options, nil, against: server.version)
        try target.check(against: server)
        try checkNames(session)
        try inspect(session, server)
        try checkWALLevel(session, server)
        try checkSlot(session)
        let source = ParallelSource(
            SourceContext(
                session: session, server: server, options: options, wantsTablespaceMap: false, parameters: parameters,
                interrupt: interrupt, meter: meter, logger: logger))
        let (table, archives) = try source.survey()
        let layout = try target.layOut(archives)
        try layout.checkUnmapped(options, logger)
        let figures = try target.compare(table, archives, layout, server) { finding in
            switch finding {
            case .surplus(let path): report(.removed(path))
            case .kept(let path): report(.kept(path))
            case .replaced(let path): report(.replaced(path))
            }
        }
        return BaseBackup.Survey(
            isNew: target.existing == nil, isInterrupted: target.existing?.left != nil, source: figures.source,
            sameSize: figures.sameSize, otherSize: figures.otherSize, missing: figures.missing,
            surplus: figures.surplus, serverVersion: server.version.number,
            systemIdentifier: server.identity.systemIdentifier,
            foundSystemIdentifier: target.existing?.systemIdentifier)
    }
}

extension BackupRun {
    /// Refuses a slot that is there, or is not, where the server tells that (from 15).
    private func checkSlot(_ session: Session) throws(UnderstudyError) {
        _ = try checkHolds(session)
        guard let name = wantedSlot.name, session.serverVersion.readsSlots else { return }
        let isThere = try SlotReading.read(name, session) != nil
        switch wantedSlot {
        case .create where isThere:
            throw UnderstudyError(
                .slot, "replication slot \"\(name)\" already exists",
                remedy: "Choose another name, or use the slot that exists, with \(.existingSlot).")
        case .existing where !isThere:
            throw UnderstudyError(
                .slot, "replication slot \"\(name)\" does not exist",
                remedy: "Let it be made with \(.createSlot(name)).")
        default: break
        }
    }
}

extension ParallelSource {
    /// Lists all files, and begins no backup.
    func survey() throws(UnderstudyError) -> (table: FileTable, archives: [AnnouncedArchive]) {
        let (session, facts, isSuperuser) = try ParallelConnections(context).openFirst()
        self.facts = facts
        self.isSuperuser = isSuperuser
        sessions = [session]
        defer { sessions = [] }
        try listFiles()
        return (table, archives)
    }
}
