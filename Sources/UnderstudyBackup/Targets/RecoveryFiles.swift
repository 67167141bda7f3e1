import Glibc
package import Logging
package import UnderstudyConfiguration
package import UnderstudyConnection
package import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Writes the recovery settings into a copy.
package struct RecoveryFiles {
    private let facts: BackupRun.Facts
    private let target: any BackupTarget
    /// The connection parameters that the user gave.
    private let parameters: ConnectionParameters
    /// The password file for the standby.
    package var passfile: String?
    /// The user that the standby runs as, if it is not the one of this process.
    package var owner: BaseBackup.Owner?
    package var port: Int?
    package var restoreCommand: String?
    /// More settings for the standby.
    package var settings: [StandbyConfiguration.Setting] = []
    /// The settings that came with the copy.
    private let copied: CopiedSettings
    /// Whether copied settings that would end or hide a standby are overridden.
    private let overridesCopied: Bool
    private let hasConfigFile: Bool

    /// - Parameter configFile: The configuration file of the standby, if it is not the copy's own.
    package init(
        _ facts: BackupRun.Facts, target: any BackupTarget, parameters: ConnectionParameters, configFile: String? = nil,
        overridesCopied: Bool
    ) {
        self.facts = facts
        self.target = target
        self.parameters = parameters
        self.overridesCopied = overridesCopied
        hasConfigFile = configFile != nil
        copied =
            target.directory.map {
                CopiedSettings(in: $0.path, configFile: configFile, hasAutoConf: facts.server.version.readsAutoConf)
            } ?? CopiedSettings()
    }

    /// Logs the copied settings that matter.
    package func warn(_ logger: Logger) {
        let version = facts.server.version.number
        let directory = target.directory?.path ?? ""
        for finding in copied.findings(
            serverVersion: version, areOverridden: overridesCopied, directory: directory, replaced: replaced)
        {
            logger.warning("\(finding.message)", metadata: finding.hint.map { ["hint": "\($0)"] })
        }
        guard overridesCopied else { return }
        for line in copied.changes(serverVersion: version) { logger.notice("\(line)") }
    }

    private var replaced: Set<String> {
        Set(settings.map { $0.name.lowercased() } + (restoreCommand == nil ? [] : ["restore_command"]))
    }

    /// The standby's connection to the primary.
    package var connection: PrimaryConnInfo {
        PrimaryConnInfo(
            connectionSettings, forServer: facts.server.version.number,
            password: facts.password, readsPassfile: Self.mayRead(connectionSettings["passfile"], owner),
            dbname: parameters["dbname"],
            passfile: passfile)
    }

    /// Whether the server's user can read the password file that was used.
    static func mayRead(_ passfile: String?, _ owner: BaseBackup.Owner?) -> Bool {
        guard let passfile, let owner = owner?.fileOwner, owner.user != geteuid() else { return true }
        return owner.mayRead(passfile)
    }

    /// The settings in effect, as a type of the configuration module.
    private var connectionSettings: ConnectionSettings {
        ConnectionSettings(facts.settings.map { ConnectionSettings.Setting($0.keyword, $0.value) })
    }

    /// The lines of a password file with which the standby logs in; none if no password was used.
    package func passfileLines() throws(Finding) -> [String] {
        var settings = connectionSettings
        // Where it came from another password file, the settings do not have it.
        if settings["password"] == nil { settings["password"] = facts.password }
        return try Passfile.lines(settings, forServer: facts.server.version.number)
    }

    /// Only what is another value than the one in effect in the copy.
    private var configuration: StandbyConfiguration {
        let version = facts.server.version.number
        var configuration = StandbyConfiguration(
            serverVersion: version, primaryConnInfo: connection.conninfo, slotName: facts.slotName, port: port,
            settings: settings)
        configuration.restoreCommand = restoreCommand
        if overridesCopied {
            // What is not in the copy, but in /etc, may not be readable here: then everything is set.
            guard target.directory != nil, copied.isComplete, !hasConfigFile else { return configuration }
            configuration.resetsSlotName = copied["primary_slot_name"].map { !$0.value.isEmpty } ?? false
            configuration.resetsRecoveryTarget = !copied.recoveryTargets(serverVersion: version).isEmpty
            configuration.followsLatestTimeline =
                version < 120_000 || copied.otherTimeline(serverVersion: version) != nil
            // Off before 10, unless it is set.
            configuration.hotStandby = version < 100_000 || copied.forbidsQueries
        } else {
            // As the stock tool: the rest is the caller's.
            configuration.resetsSlotName = false
            configuration.resetsRecoveryTarget = false
            configuration.followsLatestTimeline = false
            configuration.hotStandby = false
        }
        return configuration
    }

    /// Writes the settings; returns those whose file is absent.
    @discardableResult
    package func write() throws(UnderstudyError) -> [StandbyConfiguration.FileEdit] {
        let configuration = configuration
        var left: [StandbyConfiguration.FileEdit] = []
        for edit in configuration.edits {
            if try !target.add(edit) { left.append(edit) }
        }
        return left
    }
}
