import Glibc
package import Logging
package import UnderstudyConfiguration
package import UnderstudyConnection
package import UnderstudyCore
package import UnderstudyPlatform
import UnderstudyProtocol

/// Writes the recovery settings into a copy.
package struct RecoveryFiles {
    private let completed: BackupRun.Completed
    /// The connection parameters that the user gave.
    private let parameters: ConnectionParameters
    /// The password file for the standby.
    package var passfile: String?
    package var port: Int?
    /// The settings that came with the copy.
    private let copied: CopiedSettings
    /// Whether copied settings that would end or hide a standby are overridden.
    private let overridesCopied: Bool

    /// - Parameter configFile: The configuration file of the standby, if it is not the copy's own.
    package init(
        _ completed: BackupRun.Completed, parameters: ConnectionParameters, configFile: String? = nil,
        overridesCopied: Bool
    ) {
        self.completed = completed
        self.parameters = parameters
        self.overridesCopied = overridesCopied
        copied = CopiedSettings(
            in: completed.directory.path, configFile: configFile, hasAutoConf: completed.server.version.readsAutoConf)
    }

    /// Logs the copied settings that matter.
    package func warn(_ logger: Logger) {
        let version = completed.server.version.number
        for finding in copied.findings(
            serverVersion: version, areOverridden: overridesCopied, directory: completed.directory.path)
        {
            logger.warning("\(finding.message)", metadata: finding.hint.map { ["hint": "\($0)"] })
        }
        guard overridesCopied else { return }
        for line in copied.changes(serverVersion: version) { logger.notice("\(line)") }
    }

    /// The standby's connection to the primary.
    package var connection: PrimaryConnInfo {
        PrimaryConnInfo(
            connectionSettings, forServer: completed.server.version.number,
            usedPassword: completed.usedPassword, dbname: parameters["dbname"],
            passfile: passfile)
    }

    /// The settings in effect, as a type of the configuration module.
    package var connectionSettings: ConnectionSettings {
        ConnectionSettings(completed.settings.map { ConnectionSettings.Setting($0.keyword, $0.value) })
    }

    /// Writes the settings; returns those whose file is absent.
    @discardableResult
    package func write() throws(UnderstudyError) -> [StandbyConfiguration.FileEdit] {
        let version = completed.server.version.number
        var configuration = StandbyConfiguration(
            serverVersion: version, primaryConnInfo: connection.conninfo, slotName: completed.slotName, port: port)
        if !overridesCopied {
            configuration.resetsRecoveryTarget = false
            configuration.followsLatestTimeline = copied.otherTimeline(serverVersion: version) == nil
            configuration.hotStandby = !copied.forbidsQueries
        }
        var left: [StandbyConfiguration.FileEdit] = []
        for edit in configuration.edits {
            if try !Self.apply(edit, in: completed.directory, mode: completed.server.fileMode) { left.append(edit) }
        }
        return left
    }

    /// Makes one change; false if its file is absent.
    package static func apply(
        _ edit: StandbyConfiguration.FileEdit, in directory: ConfinedDirectory, mode: UInt16
    ) throws(UnderstudyError) -> Bool {
        let name = RelativePath(edit.name)
        do throws(FileIOError) {
            let isThere = directory.exists(name)
            if isThere && edit.kind != .create {
                try directory.append(Array(edit.content.utf8), to: name)
                return true
            }
            guard edit.kind != .appendIfPresent else { return false }
            if isThere { try directory.remove(name) }
            let file = try directory.createFile(name, mode: mode)
            let bytes = Array(edit.content.utf8)
            try unsafe file.write(bytes.span.bytes, at: 0, path: directory.fullPath(name))
            try file.sync(path: directory.fullPath(name))
            return true
        } catch { throw UnderstudyError(error) }
    }
}
