import Logging
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// One clone: first the copy with its settings, then the start.
final class CloneRun: @unchecked Sendable {
    // Sendable: `copy` runs to its end on one thread before `start` is called; never two at once.
    let options: StandbyClone.Options
    let interrupt: Interrupt
    let logger: Logger
    let target: DirectoryTarget
    let backup: BackupRun

    // Set by `copy`, used by `start`.
    var version = ServerVersion.oldestSupported
    var programs: ServerPrograms?
    var passwordFile: PasswordFile?
    var passfileOfServer: String?
    var hasConfiguration = true
    /// The configuration file outside of the copy; nil if the copy has its own, or gets a generated one.
    var configFile: String?
    /// The port for a generated configuration.
    var generatedPort: Int?
    /// What the primary told, from the first connection on.
    var facts: PrimaryFacts?
    var result: BackupResult?
    var slotWasMade = false
    /// The login that worked, and the settings that it used.
    var login: ConnectionParameters?
    var settings: [ConnectionParameters.Setting] = []

    init(
        options: StandbyClone.Options, interrupt: Interrupt, logger: Logger, target: DirectoryTarget,
        backup: BackupRun
    ) {
        self.options = options
        self.interrupt = interrupt
        self.logger = logger
        self.target = target
        self.backup = backup
    }

    /// The login, pinned to the server of the first connection.
    var parameters: ConnectionParameters { backup.parameters }

    // MARK: - The copy

    /// Takes the base backup and adds the settings. Runs on its own thread.
    func copy() throws(UnderstudyError) {
        try checkOptions()
        // With a start, the slot is not moved here: the standby moves it once it streams.
        backup.callerMayRemove = options.start != nil
        do throws(UnderstudyError) {
            result = try backup.run(inspect: inspect, addFiles: addFiles)
        } catch {
            if error.code != .damagedPages && options.backup.cleanUp { passwordFile?.restore() }
            throw error
        }
    }

    /// The checks of a clone, and a comparison in place of its copy.
    func survey(
        _ report: @escaping (BaseBackup.SurveyedPath) -> Void
    ) throws(UnderstudyError) -> BaseBackup.Survey {
        try checkOptions()
        return try backup.survey(target, inspect: inspect, report: report)
    }

    private func inspect(_ session: Session, _ server: ServerFacts) throws(UnderstudyError) {
        version = server.version
        try backup.checkPrimaryConnInfo(session, passfile: passwordFile?.path)
        if options.start != nil || options.binDirectory != nil {
            programs = try ServerPrograms(version, given: options.binDirectory)
        } else {
            programs = try? ServerPrograms(version, given: nil)
        }
        let facts = try PrimaryFacts(
            parameters, version: version, slot: options.slot.name, interrupt: interrupt,
            access: backup.queryAccess, logger: logger)
        self.facts = facts
        try chooseConfiguration(facts, session)
        if options.start != nil || options.generateConfig {
            let place = standbyPort(facts, session)
            if options.start != nil { try checkPort(place, session) }
            if options.generateConfig { generatedPort = place.port }
        }
        // For a configuration that the printed command makes.
        generatedPort = generatedPort ?? options.port ?? Int(facts["port"] ?? session.port)
    }

    // MARK: - Settings

    private func addFiles(_ facts: BackupRun.Facts) throws(UnderstudyError) {
        slotWasMade = facts.slotWasMade
        var login = parameters
        for setting in facts.settings where ["user", "password", "passfile"].contains(setting.keyword) {
            login[setting.keyword] = setting.value
        }
        self.login = login
        settings = facts.settings.filter { $0.keyword != "dbname" }
        if let database = parameters["dbname"] { settings.append(.init(keyword: "dbname", value: database)) }
        var recovery = RecoveryFiles(
            facts, target: target, parameters: parameters, configFile: configFile,
            overridesCopied: true)
        recovery.owner = options.backup.owner
        recovery.port = options.port
        recovery.restoreCommand = options.restoreCommand
        recovery.settings = options.settings
        recovery.passfile = passwordFile?.path
        let connection = recovery.connection
        if !connection.dropped.isEmpty {
            logger.warning(
                "left out of primary_conninfo, because server version \(version) does not know or cannot use it: \(connection.dropped.joined(separator: ", "))"
            )
        }
        recovery.warn(logger)
        try writePasswordFile(recovery, connection)
        if options.generateConfig { try generateConfiguration() }
        try leaveOutLogs()
        hasConfiguration = target.directory?.exists("postgresql.conf") == true
        for edit in try recovery.write() {
            logger.warning(
                "there is no \(edit.name) in the data directory; put these lines into the standby's configuration: \(edit.content)"
            )
        }
    }

    private func writePasswordFile(_ recovery: RecoveryFiles, _ connection: PrimaryConnInfo) throws(UnderstudyError) {
        guard let file = passwordFile?.path else { return }
        let lines: [String]
        do throws(Finding) {
            lines = try recovery.passfileLines()
        } catch { throw UnderstudyError(error, .configuration) }
        if lines.isEmpty {
            logger.warning("no password was used to log in, so none is written to \"\(file)\"")
        }
        try passwordFile?.add(lines)
        if let path = connection.environmentPassfile {
            passfileOfServer = path
            logger.warning(
                "server version \(version) finds a password file only through its environment: start the standby with PGPASSFILE=\(ShellText.pasted(path))"
            )
        }
    }
}
