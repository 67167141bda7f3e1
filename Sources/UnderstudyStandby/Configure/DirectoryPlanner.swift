import Logging
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Finds what is to be changed in a data directory, and changes nothing.
struct DirectoryPlanner {
    typealias FileName = StandbyConfiguration.FileName

    let opened: OpenedDirectory
    let options: StandbyDirectory.Options
    let logger: Logger

    /// What the server reads before the files that are changed here.
    private let others: CopiedSettings
    /// The files that may be changed, as they are.
    private let files: [String: [UInt8]]
    private var usesRecoveryConf: Bool { opened.version.number < 120_000 }

    init(_ opened: OpenedDirectory, _ options: StandbyDirectory.Options, _ logger: Logger) throws(UnderstudyError) {
        self.opened = opened
        self.options = options
        self.logger = logger
        others = CopiedSettings(in: opened.path, configFile: opened.configFile, hasAutoConf: false)
        files = try opened.contents(StandbyConfiguration(serverVersion: opened.version.number).fileNames)
    }

    func plan() throws(UnderstudyError) -> StandbyDirectory.Plan {
        if let file = opened.configFile { logger.info("the server's configuration is \"\(file)\"") }
        var connection: PrimaryConnInfo?, passwordLines: [String] = []
        if let primary = options.primary { (connection, passwordLines) = try self.connection(primary) }
        let configuration = try configuration(connection)
        do throws(Finding) { try configuration.check() } catch { throw UnderstudyError(error, .options) }
        try checkConflicts(configuration)
        var changes = configuration.changes(to: files)
        try checkMainFile(changes)
        try checkOutcome(configuration, changes)
        for index in changes.indices { changes[index].name = opened.path(of: changes[index].name) }
        var plan = StandbyDirectory.Plan(
            serverVersion: opened.version.number, mode: configuration.mode, changes: changes)
        if case .file(let path) = options.passwordPlace, !passwordLines.isEmpty {
            try PasswordFile.checkReach(path, owner: opened.owner)
            let file = try PasswordFile(path, owner: opened.owner)
            // The file comes before the setting that names it.
            let first = try file.change(adding: passwordLines).map { [$0] } ?? []
            plan = .init(
                serverVersion: plan.serverVersion, mode: plan.mode, changes: first + changes,
                passwordLines: first.isEmpty ? [] : passwordLines, passfile: file.path)
        }
        return plan
    }

    // MARK: - The primary

    private func connection(
        _ primary: ConnectionString
    ) throws(UnderstudyError) -> (PrimaryConnInfo, passwordLines: [String]) {
        let version = opened.version.number
        let place: PrimaryConnInfo.PasswordPlace =
            switch options.passwordPlace {
            case .inline: .inline
            case .file(let path): .file(absolutePath(path))
            case .leftOut: .leftOut
            }
        var given = try GivenConnection(primary, password: options.password, in: place, forServer: version)
            .settings(present: presentConnInfo, logger)
        do throws(Finding) {
            let connection = try PrimaryConnInfo(
                given: given, forServer: version, password: options.password, in: place)
            try check(connection)
            if given["password"] == nil { given["password"] = options.password }
            guard case .file = place else { return (connection, []) }
            // Slots are synchronised over a connection to a database.
            let databases = ["replication"] + (connection.settings["dbname"].map { [$0] } ?? [])
            let lines = try Passfile.lines(given, forServer: version, databases: databases)
            if lines.isEmpty {
                throw Finding(
                    "there is no password for the password file",
                    hint: "Give the password, or name a file that has it in the connection string: passfile=FILE.")
            }
            return (connection, lines)
        } catch { throw UnderstudyError(error, .options) }
    }

    private func check(_ connection: PrimaryConnInfo) throws(Finding) {
        if !connection.dropped.isEmpty {
            logger.warning(
                "left out of primary_conninfo, because version \(opened.version.major) does not know or cannot use it: \(connection.dropped.joined(separator: ", "))"
            )
        }
        if let path = connection.environmentPassfile {
            logger.warning(
                "version \(opened.version.major) has no setting for a password file",
                metadata: [
                    "hint": "Start the server with this in its environment: PGPASSFILE=\(ShellText.pasted(path))"
                ])
        }
        let length = connection.conninfo.utf8.count
        guard length > NameLimits.longestConnInfo else { return }
        throw Finding(
            "primary_conninfo would have \(length) bytes, and a standby keeps \(NameLimits.longestConnInfo)",
            hint: "Give fewer or shorter settings for the connection.")
    }

    /// The connection that the directory has, in whatever file.
    private var presentConnInfo: String? {
        let file = usesRecoveryConf ? FileName.recoveryConf : FileName.autoConf
        let document = files[file].map { ConfigurationDocument($0) }
        let value = document?["primary_conninfo"] ?? (usesRecoveryConf ? nil : others["primary_conninfo"]?.value)
        return value.flatMap { $0.isEmpty ? nil : $0 }
    }

    // MARK: - The settings

    /// What the directory is configured as; nil for neither.
    private var presentMode: StandbyConfiguration.Mode? {
        if usesRecoveryConf {
            guard let bytes = files[FileName.recoveryConf] else { return nil }
            return ServerBoolean.isOn(ConfigurationDocument(bytes)["standby_mode"] ?? "off") ? .standby : .recovery
        }
        return files[FileName.standbySignal] != nil
            ? .standby : files[FileName.recoverySignal] != nil ? .recovery : nil
    }

    private func configuration(_ connection: PrimaryConnInfo?) throws(UnderstudyError) -> StandbyConfiguration {
        let version = opened.version.number
        var configuration = StandbyConfiguration(
            serverVersion: version, primaryConnInfo: connection?.conninfo, port: options.port, hotStandby: false,
            settings: options.settings)
        guard
            let mode = options.mode ?? (connection == nil ? nil : .standby) ?? presentMode
                ?? (options.recoveryTarget == nil ? nil : .recovery)
        else {
            throw UnderstudyError(
                .options, "directory \"\(opened.path)\" is neither a standby nor set to recover",
                remedy: "Name a primary, a recovery target, or what it is to be: \(.recoveryMode)")
        }
        configuration.mode = mode
        configuration.resetsSlotName = false
        configuration.restoreCommand = options.restoreCommand
        configuration.archiveCleanupCommand = options.archiveCleanupCommand
        configuration.recoveryEndCommand = options.recoveryEndCommand
        configuration.minApplyDelay = options.minApplyDelay
        configuration.triggerFile = options.triggerFile
        configuration.recoveryTarget = options.recoveryTarget
        configuration.timeline = options.timeline
        configuration.removedSettings = options.removedSettings
        try setSlot(&configuration)

        let isNew = options.mode != nil || connection != nil
        configuration.takesTargetOut = isNew
        // What is set elsewhere is only overridden by a value of its own.
        configuration.resetsRecoveryTarget =
            (isNew || options.recoveryTarget != nil)
            && (!others.recoveryTargets(serverVersion: version).isEmpty || !others.isComplete)
        let isStandby = isNew && mode == .standby
        configuration.followsLatestTimeline =
            isStandby && options.recoveryTarget == nil
            && (usesRecoveryConf || others.otherTimeline(serverVersion: version) != nil)
        let own = options.settings.contains { $0.name.lowercased() == "hot_standby" }
        configuration.hotStandby = isStandby && !own && forbidsQueries
        return configuration
    }

    /// Whether hot_standby is off, by a setting, or before 10 without one.
    private var forbidsQueries: Bool {
        let value =
            files[FileName.autoConf].flatMap { ConfigurationDocument($0)["hot_standby"] }
            ?? others["hot_standby"]?.value
        return value.map { !ServerBoolean.isOn($0) } ?? (opened.version.number < 100_000)
    }

    private func setSlot(_ configuration: inout StandbyConfiguration) throws(UnderstudyError) {
        guard let slot = options.slotName else { return }
        if !slot.isEmpty {
            if let flaw = NameLimits.flaw(ofSlot: slot) { throw flaw }
            configuration.slotName = slot
        } else {
            configuration.removedSettings.append("primary_slot_name")
            configuration.resetsSlotName = !(others["primary_slot_name"]?.value ?? "").isEmpty
        }
    }

    // MARK: - Checks

    /// Settings that have an option of their own, and those that follow from others.
    private static let settingsWithOption =
        [
            "primary_conninfo", "primary_slot_name", "port", "restore_command", "archive_cleanup_command",
            "recovery_end_command", "recovery_min_apply_delay", "trigger_file", "promote_trigger_file", "standby_mode",
            "data_directory", "config_file",
        ] + RecoverySetting.ofTarget

    private func checkConflicts(_ configuration: StandbyConfiguration) throws(UnderstudyError) {
        var bare = configuration
        bare.settings = []
        let own = Set(bare.allSettings.map(\.name))
        var seen: Set<String> = []
        for name in configuration.settings.map({ $0.name.lowercased() }) {
            if Self.settingsWithOption.contains(name) {
                throw UnderstudyError(
                    .options, "\"\(name)\" cannot be set on its own",
                    hint: "It has its own place, or follows from the mode, the recovery target, or the directory.")
            }
            guard !own.contains(name), seen.insert(name).inserted else {
                throw UnderstudyError(.options, "\(name) is given twice", hint: "Give it once.")
            }
        }
        for name in options.removedSettings.map({ $0.lowercased() }) where own.contains(name) || seen.contains(name) {
            throw UnderstudyError(.options, "\(name) is to be set and to be taken out", hint: "Choose one of both.")
        }
    }

    /// Refuses to make a postgresql.conf, which 9.3 reads alone: it is somewhere else.
    private func checkMainFile(_ changes: [StandbyConfiguration.FileChange]) throws(UnderstudyError) {
        guard changes.contains(where: { $0.name == FileName.mainConf && $0.old == nil }) else { return }
        throw UnderstudyError(
            .configuration,
            "directory \"\(opened.path)\" has no postgresql.conf, and version 9.3 reads settings from there alone",
            remedy: "Name the postgresql.conf of this server: \(.configFile)")
    }

    /// Looks at what the server will read.
    private func checkOutcome(
        _ configuration: StandbyConfiguration, _ changes: [StandbyConfiguration.FileChange]
    ) throws(UnderstudyError) {
        let name = usesRecoveryConf ? FileName.recoveryConf : FileName.autoConf
        let bytes = changes.first { $0.name == name }.map { $0.new ?? [] } ?? files[name] ?? []
        let document = ConfigurationDocument(bytes)
        func hasValue(_ name: String) -> Bool {
            let value = document[name] ?? (usesRecoveryConf ? nil : others[name]?.value)
            return !(value ?? "").isEmpty
        }
        let knowsAll = usesRecoveryConf || others.isComplete
        if !knowsAll {
            logger.info(
                "not all of the server's configuration can be read here, so that what it sets is not known",
                metadata: opened.configFile == nil ? ["hint": "Name its postgresql.conf, if it is elsewhere."] : nil)
        }
        switch configuration.mode {
        case .recovery:
            if hasValue("restore_command") || !knowsAll { return }
            throw UnderstudyError(
                .options, "a recovery needs an archive: there is no restore_command",
                remedy: "Say where the WAL is: \(.restoreCommand)")
        case .standby:
            if hasValue("primary_conninfo") || hasValue("restore_command") || !knowsAll { return }
            logger.warning(
                "the standby has neither a primary nor an archive, and replays only what is in its own WAL directory")
        }
    }
}
