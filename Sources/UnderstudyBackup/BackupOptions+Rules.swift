package import UnderstudyConfiguration
package import UnderstudyCore
package import UnderstudyPlatform
import UnderstudyProtocol

extension BaseBackup.Options {
    /// The BASE_BACKUP command for these options.
    var command: BaseBackupCommand {
        var command = BaseBackupCommand(label: label)
        command.progress = estimateSize
        command.fastCheckpoint = checkpoint == .fast
        command.includeWAL = wal == .fetch
        command.noWaitForArchive = wal != .none
        command.maxRate = maxRate?.kilobytesPerSecond
        command.verifyChecksums = verifyServerChecksums
        command.manifestChecksum = manifest ? manifestChecksum.rawValue : nil
        command.manifestForceEncode = manifestForceEncode
        return command
    }

    var moves: [TablespaceMove] {
        tablespaceMappings.map { TablespaceMove(from: $0.old, to: $0.new) }
    }
}

extension BaseBackup.SyncMethod {
    /// nil where the type of the file system decides.
    var syncsEachFile: Bool? {
        switch self {
        case .automatic: nil
        case .fsync: true
        case .syncfs: false
        }
    }
}

extension BaseBackup.Owner {
    package var fileOwner: FileOwner { FileOwner(user: user, group: group) }
}

/// Refuses options that are invalid, alone or together.
enum BackupOptionRules {
    /// For any target.
    static func check(_ options: BaseBackup.Options) throws(UnderstudyError) {
        if let rate = options.maxRate?.kilobytesPerSecond, !(32...1_048_576).contains(rate) {
            throw UnderstudyError(
                .options, "transfer rate \(rate) is out of range",
                hint: "Choose from 32 to 1048576 kilobytes per second.")
        }
        if let flaw = NameLimits.flaw(ofLabel: options.label) { throw flaw }
        if options.wal != .stream {
            switch options.slot {
            case .none, .temporary: break
            case .existing, .create, .createIfMissing:
                throw UnderstudyError(
                    .options, "a replication slot can be used only when WAL is streamed",
                    hint: "Choose WAL method stream, or leave the slot out.")
            }
        }
    }

    /// For a target that consists of archives.
    static func checkArchives(_ options: BaseBackup.Options) throws(UnderstudyError) {
        guard options.walDirectory == nil else {
            throw UnderstudyError(
                .options, "a WAL directory of its own is of the plain format", hint: "Leave it out for archives.")
        }
        guard options.tablespaceMappings.isEmpty else {
            throw UnderstudyError(
                .options, "tablespaces can be mapped to directories only in plain format",
                hint: "Leave the mappings out: in tar format each tablespace is an archive of its own.")
        }
    }

    /// For a target that is a directory: the places of tablespaces and of the WAL directory.
    static func checkPlaces(_ options: BaseBackup.Options, dataDirectory: String) throws(UnderstudyError) {
        for mapping in options.tablespaceMappings where mapping.new.utf8.count > NameLimits.longestTablespacePath {
            throw UnderstudyError(
                .options,
                "tablespace directory \"\(mapping.new)\" is too long: it has \(mapping.new.utf8.count) bytes, and a server takes \(NameLimits.longestTablespacePath)",
                hint: "Choose a shorter path.")
        }
        var findings = Preflight.tablespaceMappings(
            options.moves, dataDirectory: dataDirectory, walDirectory: options.walDirectory)
        if let directory = options.walDirectory {
            findings += Preflight.walDirectory(directory, dataDirectory: dataDirectory)
        }
        if let finding = findings.first { throw UnderstudyError(finding, .options) }
    }
}

extension UnderstudyError {
    package init(_ finding: Finding, _ code: Code) {
        self.init(code, finding.message, detail: finding.detail, hint: finding.hint)
    }
}
