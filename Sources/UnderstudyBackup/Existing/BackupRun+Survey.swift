import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

extension BackupRun {
    /// The checks of a run, and a comparison in place of its copy.
    func survey(
        _ target: DirectoryTarget, _ report: @escaping (BaseBackup.SurveyedPath) -> Void
    ) throws(UnderstudyError) -> BaseBackup.Survey {
        guard options.existing != .refused else {
            throw UnderstudyError(
                .options, "only a directory that may have contents is compared",
                remedy: "Say what it may hold: \(.updateExisting) or \(.resume).")
        }
        try BackupOptionRules.check(options)
        _ = try target.check()
        let session = try connect()
        self.session = session
        defer { self.session = nil }
        parameters = parameters.pinned(to: session)
        let server = try ServerFacts(session, logger: logger)
        try BackupOptionRules.check(options, nil, against: server.version)
        try target.check(against: server)
        try checkNames(session)
        try checkWALLevel(session, server)
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
