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
    /// What the user gave for the connection.
    private let parameters: ConnectionParameters
    /// A password file that the standby is to use.
    package var passfile: String?
    package var port: Int?
    /// What the copy has brought along.
    private let copied: CopiedSettings
    /// Whether settings that came along and would end or hide a standby are set anew.
    private let overridesCopied: Bool

    /// - Parameter configFile: The configuration file that the standby will have, where it is not the copy's own.
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

    /// Names the settings that came along and are worth knowing of.
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

    /// How the standby will connect.
    package var connection: PrimaryConnInfo {
        PrimaryConnInfo(
            connectionSettings, forServer: completed.server.version.number,
            usedPassword: completed.usedPassword, dbname: parameters["dbname"],
            passfile: passfile)
    }

    /// The settings in effect, as the module of configuration has them.
    package var connectionSettings: ConnectionSettings {
        ConnectionSettings(completed.settings.map { ConnectionSettings.Setting($0.keyword, $0.value) })
    }

    /// Writes them; returns the settings that found no file to stand in.
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

    /// Makes one change; false where the file that it belongs to is absent.
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
