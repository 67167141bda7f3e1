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
        if case .server(let method, let detail) = compression { command.compression = (method, detail) }
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
        try checkConnections(options)
        guard options.existing == .refused || !options.forceClean else {
            throw UnderstudyError(
                .options, "what an interrupted run has left is either gone on with, or removed first",
                remedy: "Leave \(.forceClean) out to go on from what is there.")
        }
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

    private static func checkConnections(_ options: BaseBackup.Options) throws(UnderstudyError) {
        guard options.connections.isParallel else {
            guard options.existing == .refused else {
                throw UnderstudyError(
                    .options, "an existing directory is made equal over several connections alone",
                    hint: "Set the number of connections, which may be 1: they ask for blocks, as BASE_BACKUP cannot.")
            }
            return
        }
        guard (1...64).contains(options.connections.count) else {
            throw UnderstudyError(
                .options, "number of connections \(options.connections.count) is out of range",
                hint: "Choose from 1 to 64.")
        }
        if !options.mayFallBack, let flaw = obstacle(to: options) {
            throw UnderstudyError(.options, flaw, hint: "Leave the number of connections out, or change that.")
        }
    }

    /// What of these options BASE_BACKUP alone can do; nil if several connections can do all.
    static func obstacle(to options: BaseBackup.Options) -> String? {
        if options.wal == .fetch { return "WAL is fetched by BASE_BACKUP alone: it can be streamed, or left out" }
        if options.incrementalManifest != nil { return "an incremental backup comes over one connection" }
        if case .server = options.compression { return "the server compresses what comes over one connection" }
        return nil
    }

    /// Refuses a server whose backups cannot come over several connections.
    static func checkSeveral(_ version: ServerVersion) throws(UnderstudyError) {
        guard !version.hasConcurrentBackups else { return }
        throw UnderstudyError(
            .server, "server version \(version) cannot be copied over several connections",
            detail: "Its low-level backups exclude each other, and leave traces when they are broken off.",
            hint: "Use one connection; servers from 9.6 allow more.", cause: SeveralAreRefused())
    }

    /// For a server of this version.
    static func check(
        _ options: BaseBackup.Options, _ place: BackupPlace?, against version: ServerVersion
    ) throws(UnderstudyError) {
        if options.connections.isParallel, !options.mayFallBack { try checkSeveral(version) }
        // The stock tool's words.
        if options.incrementalManifest != nil, !version.hasIncrementalBackup {
            throw UnderstudyError(
                .server, "server does not support incremental backup",
                hint: "Take a full backup: servers of version \(version.major) know no other; those from 17 do.")
        }
        if place != nil, !version.compressesAndHasTargets {
            throw UnderstudyError(
                .server, "backup targets are not supported by this server version",
                hint: "Let the backup come here, to a directory or standard output; servers from 15 know targets.")
        }
        if case .server = options.compression, !version.compressesAndHasTargets {
            throw UnderstudyError(
                .server, "server does not support server-side compression",
                hint: "Compress the archives here, or not at all; servers from 15 can do it.")
        }
    }

    /// For a backup that the server puts somewhere itself.
    static func checkServerTarget(_ options: BaseBackup.Options) throws(UnderstudyError) {
        guard options.wal != .stream else {
            throw UnderstudyError(
                .options, "WAL cannot be streamed when a backup target is specified",
                hint: "Choose WAL method fetch or none.")
        }
        guard !options.writeRecoverySettings else {
            throw UnderstudyError(
                .options, "recovery configuration cannot be written when a backup target is used",
                hint: "Leave it out: the archives are written by the server as they are.")
        }
        guard !options.connections.isParallel || options.connections.isAutomatic else {
            throw UnderstudyError(
                .options, "a backup comes over several connections only to where this program writes it",
                hint: "Leave the number of connections out, or the backup target: the server reads its files itself.")
        }
        try checkArchives(options)
        if case .client = options.compression {
            throw UnderstudyError(
                .options, "client-side compression is not possible when a backup target is specified",
                hint: "Let the server compress.")
        }
    }

    /// For a target that consists of archives.
    static func checkArchives(_ options: BaseBackup.Options) throws(UnderstudyError) {
        guard options.existing == .refused else {
            throw UnderstudyError(
                .options, "only a data directory can be made equal to its source",
                hint: "Write archives to a new place.")
        }
        guard !options.keepPartial else {
            throw UnderstudyError(
                .options, "a run can go on only from what another one has left in a data directory",
                hint: "Let a failed run remove its archives.")
        }
        guard options.walDirectory == nil else {
            throw UnderstudyError(
                .options, "a WAL directory of its own is of the plain format", hint: "Leave it out for archives.")
        }
        guard options.tablespaceMappings.isEmpty else {
            throw UnderstudyError(
                .options, "tablespaces can be mapped to directories only in plain format",
                hint: "Leave the mappings out: in tar format each tablespace is an archive of its own.")
        }
        guard !options.leavesHoles else {
            throw UnderstudyError(
                .options, "holes can be left only in plain format",
                hint: "Leave none: an archive holds every byte, and compression makes its zeros small.")
        }
    }

    /// For a target that is a directory: the places of tablespaces and of the WAL directory.
    static func checkPlaces(_ options: BaseBackup.Options, dataDirectory: String) throws(UnderstudyError) {
        if case .client = options.compression {
            throw UnderstudyError(
                .options, "only tar mode backups can be compressed",
                hint: "Let the server compress what is sent, or choose a target in tar format.")
        }
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
