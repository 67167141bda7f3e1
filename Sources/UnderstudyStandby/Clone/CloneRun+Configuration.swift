import Logging
import UnderstudyBackup
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol
import UnderstudyWAL

/// Which configuration the standby starts with, and what it must have.
extension CloneRun {
    /// Finds the configuration before anything is copied: the one that was named, that of the cluster of Debian to which
    /// the target belongs here, a generated one, or the copy's own, if the primary has it in its data directory.
    func chooseConfiguration(_ facts: PrimaryFacts, _ session: Session) throws(UnderstudyError) {
        configFile = options.configFile.map(absolutePath)
        if configFile == nil, !options.generateConfig,
            let cluster = DebianConfiguration.of(dataDirectory: target.path, version: version)
        {
            logger.notice(
                "the standby's configuration is \"\(cluster.file)\", which names this directory as its data directory")
            configFile = cluster.file
        }
        try checkLimits(facts, session)
        if configFile != nil { return }
        if options.generateConfig || facts.configurationIsInside == true { return }
        // Which setting that is, any role may know; before 10 a replication connection cannot ask.
        let asks = !facts.isAsked && options.start != nil && version.showsSettings
        let likeness = DebianConfiguration.likeness(
            clusterName: facts["cluster_name"] ?? (asks ? try? session.show("cluster_name") : nil),
            versionText: session.serverVersionText)
        if facts.configurationIsInside == false || likeness == .certain {
            let finding = Self.noConfiguration()
            if options.start != nil { throw finding }
            warn(finding)
        } else {
            warn(rightMissing(facts, session), level: likeness == .possible ? .warning : .info)
        }
    }

    private func warn(_ finding: UnderstudyError, level: Logger.Level = .warning) {
        logger.log(level: level, "\(finding.message)", metadata: finding.metadata)
    }

    private static func noConfiguration() -> UnderstudyError {
        UnderstudyError(
            .options, "the data directory of the primary has no postgresql.conf, so a copy does not start by itself",
            detail: "Debian and its kin keep the configuration files elsewhere.",
            remedy:
                "Clone with \(.configFile) FILE, which names a configuration for the standby (of pg_createcluster, for example), or with \(.generateConfig) for a minimal one."
        )
    }

    /// Servers of Debian's packages may have their configuration in the data directory, too.
    private func rightMissing(_ facts: PrimaryFacts, _ session: Session) -> UnderstudyError {
        let user = session.effectiveSettings.first { $0.keyword == "user" }?.value
        let grant = "GRANT pg_read_all_settings TO \(LoginHint.identifier(user));"
        let right = version.showsSettings ? "let the role read it, on the primary: \(grant)" : "ask as a superuser."
        return UnderstudyError(
            .options, "it is not known whether the data directory of the primary has a postgresql.conf",
            detail:
                "Servers of Debian's packages usually have it elsewhere, and \(facts.isAsked ? "the role may not read the setting config_file" : "no SQL connection was allowed").",
            remedy: facts.isAsked
                ? "If it has none, clone with \(.configFile) FILE or \(.generateConfig). To know, \(right)"
                : "If it has none, clone with \(.configFile) FILE or \(.generateConfig).")
    }

    // MARK: - Limits

    /// Refuses a configuration with which the server would not start: the one that was named, or single settings.
    private func checkLimits(_ facts: PrimaryFacts, _ session: Session) throws(UnderstudyError) {
        let file = configFile.map { CopiedSettings(in: target.path, configFile: $0, hasAutoConf: false) }
        let own = Dictionary(options.settings.map { ($0.name.lowercased(), $0.value) }) { $1 }
        // Without such a file, all but the single settings are the primary's own.
        let names = StandbyLimits.defaults(version.number).map(\.name).filter { file != nil || own[$0] != nil }
        var primary: [String: Int] = [:]
        let asks = !facts.isAsked && options.start != nil && version.showsSettings
        for name in names {
            primary[name] = (facts[name] ?? (asks ? try? session.show(name) : nil)).flatMap { Int($0) }
        }
        let shortfalls = StandbyLimits.shortfalls(primary: primary, version: version.number) { name in
            (own[name] ?? file?[name]?.value).flatMap { Int($0) }
        }
        for shortfall in shortfalls where facts.comesAlong(shortfall.name) != true || own[shortfall.name] != nil {
            let error = UnderstudyError(
                .configuration,
                shortfall.message("would be"),
                detail: configFile.map { "\"\($0)\" is its configuration." },
                remedy: "Raise it there, or: \(.setting(shortfall.name, "\(shortfall.needed)"))")
            // postgresql.auto.conf of the primary comes along, and may have it, which not everybody may know: but to give
            // the value is little, and to copy all for a server that does not start is much.
            // A file that cannot be read here may have it, too.
            if options.start != nil, file?.isComplete ?? true { throw error }
            warn(error)
        }
    }

    // MARK: - In the copy

    /// Minimal configuration files for the copy.
    func generatedConfiguration() throws(UnderstudyError) -> GeneratedConfiguration? {
        guard let directory = target.directory else { return nil }
        let bytes: [UInt8]
        do throws(FileIOError) { bytes = try directory.read(ControlFilePlace.inCopy(directory), atMost: 8192) } catch {
            throw UnderstudyError(error)
        }
        let control: ControlFile
        do throws(ControlFileError) { control = try ControlFile(parsing: bytes) } catch {
            throw UnderstudyError(.configuration, "could not read pg_control of the copy: \(error)", cause: error)
        }
        return GeneratedConfiguration(serverVersion: version.number, controlFile: control)
    }

    func generateConfiguration() throws(UnderstudyError) {
        guard let directory = target.directory, var configuration = try generatedConfiguration() else { return }
        configuration.port = generatedPort
        for edit in configuration.files {
            guard !directory.exists(RelativePath(edit.name)) else {
                logger.notice("\(edit.name) came with the copy and is kept")
                continue
            }
            _ = try target.add(edit)
        }
    }

    func leaveOutLogs() throws(UnderstudyError) {
        guard options.leavesOutLogs, let directory = target.directory else { return }
        // The copy's own settings tell where they are, if the primary did not.
        let copied = CopiedSettings(in: directory.path, configFile: configFile, hasAutoConf: version.readsAutoConf)
        let setting = facts?["log_directory"] ?? copied["log_directory"]?.value
        guard let place = CopiedLogs.place(setting, in: facts?["data_directory"], version) else {
            logger.notice(
                "no log files were left out: those of the primary are not in a directory of their own in the copy")
            return
        }
        do throws(FileIOError) {
            let count = try CopiedLogs.remove(place, from: directory)
            logger.notice("left out \(count == 1 ? "1 log file" : "\(count) log files") of the primary in \"\(place)\"")
        } catch { throw UnderstudyError(error) }
    }
}
