import Understudy
import UnderstudyPlatform

/// Gives the options their meaning, and refuses those that do not fit together with the stock tool's words, in the
/// stock tool's order.
struct BasebackupInterpreter {
    var parsed: OptionValues
    var personality: Personality

    func plan(operands: [String]) throws(UsageError) -> BasebackupPlan {
        let values = try BasebackupValues(parsed)
        if let operand = operands.first {
            throw UsageError.operand(operand, parsed, of: .basebackup, as: personality)
        }
        let target = try target(isTar: values.isTar)
        let compression = try compression(values.compression, target)
        let walMethod = try walMethod(values, target)
        let slot = try slot(walMethod: walMethod)
        try checkWALDirectory(target)
        var mappings = values.mappings
        if !target.isDirectory, !mappings.isEmpty {
            if personality == .understudy {
                throw misuse("tablespaces can be mapped to directories only in plain mode")
            }
            // The stock tool takes them, and does nothing with them.
            mappings = []
        }
        if parsed.has(BasebackupOptions.sparse), !target.isDirectory {
            throw misuse("--sparse is for plain format: an archive holds every byte")
        }
        let progress = try progress(target)
        try checkEstimateAndManifest(progress)

        var options = BaseBackup.Options(
            label: parsed[BasebackupOptions.label] ?? personality.label, wal: walMethod,
            checkpoint: values.checkpoint, slot: slot)
        // As the stock tool names it.
        options.temporarySlotPrefix = personality.program
        options.namesFiles = progress == .stock && parsed.has(CommonOptions.verbose)
        options.maxRate = values.maxRate
        options.tablespaceMappings = mappings
        options.unmappedTablespaces = personality == .understudy ? .guarded : .anywhere
        options.takesTargetMode = false
        options.walDirectory = parsed[BasebackupOptions.waldir]
        options.connections = try parsed.connections()
        options.verifyServerChecksums = !parsed.has(BasebackupOptions.noVerifyChecksums)
        options.manifest = !parsed.has(BasebackupOptions.noManifest)
        if let name = parsed[BasebackupOptions.manifestChecksums] {
            options.manifestChecksum = try manifestChecksum(name)
        }
        options.manifestForceEncode = parsed.has(BasebackupOptions.manifestForceEncode)
        options.estimateSize = !parsed.has(BasebackupOptions.noEstimateSize)
        options.incrementalManifest = parsed[BasebackupOptions.incremental]
        options.compression = compression
        // The stock tool's stream of WAL can be compressed by gzip alone, and on the client.
        options.compressesWAL = personality == .understudy || compression.isGzipHere
        options.sync = !parsed.has(BasebackupOptions.noSync)
        options.syncMethod = values.syncMethod
        options.leavesHoles = parsed.has(BasebackupOptions.sparse)
        options.cleanUp = !parsed.has(BasebackupOptions.noClean)
        options.forceClean = parsed.has(BasebackupOptions.forceClean)
        try parsed.readExisting(into: &options, isDirectory: target.isDirectory, misuse: misuse)
        options.spoolDirectory = try spoolDirectory(target)
        if let text = parsed[BasebackupOptions.stallTimeout] { options.stallTimeout = try StallArgument.parse(text) }
        if let interval = values.statusInterval { options.statusInterval = interval }
        options.writeRecoverySettings = parsed.has(BasebackupOptions.writeRecoveryConf)
        return BasebackupPlan(
            target: target, options: options,
            connection: parsed.connection(program: personality.program),
            progress: progress, verbose: parsed.has(CommonOptions.verbose),
            isDryRun: parsed.has(ExistingOptions.dryRun))
    }

    private func misuse(_ message: String) -> UsageError {
        UsageError(message, hint: UsageError.tryHelp(personality.line(of: .basebackup)))
    }

    // MARK: - Where it goes

    /// - Parameter isTar: nil if no format was named.
    private func target(isTar: Bool?) throws(UsageError) -> BaseBackup.Target {
        // `client` is the same as no target.
        let server = parsed[BasebackupOptions.target].flatMap { $0 == "client" ? nil : $0 }
        if server != nil, isTar != nil { throw misuse("cannot specify both format and backup target") }
        switch (parsed[BasebackupOptions.pgdata], server) {
        case (nil, nil): throw misuse("must specify output directory or backup target")
        case (.some, .some): throw misuse("cannot specify both output directory and backup target")
        case (nil, .some(let text)):
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return .server(String(parts[0]), detail: parts.count > 1 ? String(parts[1]) : nil)
        case (.some(let directory), nil): return try place(directory, isTar: isTar == true)
        }
    }

    private func place(_ directory: String, isTar: Bool) throws(UsageError) -> BaseBackup.Target {
        // The stock tool finds out later.
        if directory.isEmpty { throw UsageError("could not create directory \"\": No such file or directory") }
        guard isTar else {
            // The stock tool makes a directory of that name, which nobody wants who writes this.
            if directory == "-", personality == .understudy {
                throw UsageError(
                    "only tar format can go to standard output",
                    hint: "Add -F t, or name a directory; one that is called \"-\" is \"./-\".")
            }
            return .directory(directory)
        }
        return directory == "-" ? .tarStream(1) : .tarFiles(directory)
    }

    private func compression(
        _ argument: BackupCompressionArgument, _ target: BaseBackup.Target
    ) throws(UsageError) -> BaseBackup.ArchiveCompression {
        let specification = argument.specification
        if argument.place ?? (target.isOnServer ? .server : .client) == .server {
            // Whatever it is, the server judges it. Without -Z and -z it need not be said.
            let isSaid = parsed.has(BasebackupOptions.compress) || parsed.has(BasebackupOptions.gzip)
            return isSaid ? .server(method: specification.method, detail: specification.detail) : .none
        }
        let meaning = try specification.meaning(lowestZstd: -131_072)
        if target.isOnServer {
            throw misuse("client-side compression is not possible when a backup target is specified")
        }
        guard let method = meaning.method else { return .none }
        if target.isDirectory { throw misuse("only tar mode backups can be compressed") }
        return .client(
            Compression(method: method, level: meaning.level), workers: meaning.workers,
            longDistance: meaning.long ?? false)
    }

    // MARK: - WAL

    private func walMethod(
        _ values: BasebackupValues, _ target: BaseBackup.Target
    ) throws(UsageError) -> BaseBackup.WALMethod {
        if parsed.has(BasebackupOptions.xlog), values.walMethod != nil {
            throw misuse("cannot specify both --xlog and --wal-method")
        }
        let method = values.walMethod ?? (parsed.has(BasebackupOptions.xlog) ? .fetch : .stream)
        if target.isOnServer, method == .stream {
            throw misuse("WAL cannot be streamed when a backup target is specified")
        }
        return method
    }

    private func checkWALDirectory(_ target: BaseBackup.Target) throws(UsageError) {
        guard let path = parsed[BasebackupOptions.waldir] else { return }
        if target.isOnServer {
            throw misuse("WAL directory location cannot be specified along with a backup target")
        }
        if !target.isDirectory { throw misuse("WAL directory location can only be specified in plain mode") }
        if !path.isAbsolutePath { throw misuse("WAL directory location must be an absolute path") }
    }

    private func spoolDirectory(_ target: BaseBackup.Target) throws(UsageError) -> String? {
        guard let directory = parsed[BasebackupOptions.spoolDirectory] else { return nil }
        guard case .tarStream = target else {
            throw misuse("--spool-directory is for an archive on standard output")
        }
        return directory
    }

    private func slot(walMethod: BaseBackup.WALMethod) throws(UsageError) -> ReplicationSlot {
        if parsed[BasebackupOptions.slot] != nil, walMethod != .stream {
            throw misuse("replication slots can only be used with WAL streaming")
        }
        if parsed.has(BasebackupOptions.noSlot), parsed[BasebackupOptions.slot] != nil {
            throw misuse("--no-slot cannot be used with slot name")
        }
        if parsed.has(BasebackupOptions.createSlot), parsed[BasebackupOptions.slot] == nil {
            throw misuse("--create-slot needs a slot to be specified using --slot")
        }
        if let name = parsed[BasebackupOptions.slot] {
            return parsed.has(BasebackupOptions.createSlot) ? .create(name) : .existing(name)
        }
        return parsed.has(BasebackupOptions.noSlot) || walMethod != .stream ? .none : .temporary
    }

    private func progress(_ target: BaseBackup.Target) throws(UsageError) -> BasebackupPlan.Progress {
        guard parsed.has(BasebackupOptions.progress) else { return .none }
        guard let choice = try parsed[BasebackupOptions.progress].map(ProgressChoice.parse) else { return .stock }
        if case .tarStream = target, choice == .json {
            throw UsageError(
                "--progress=json writes to standard output, and so does the archive",
                hint: "Name a directory with -D, or use --progress=plain, which writes to standard error.")
        }
        return choice == .none ? .none : .chosen(choice)
    }

    private func checkEstimateAndManifest(_ progress: BasebackupPlan.Progress) throws(UsageError) {
        if progress != .none, parsed.has(BasebackupOptions.noEstimateSize) {
            throw misuse("--progress and --no-estimate-size are incompatible options")
        }
        if parsed.has(BasebackupOptions.noManifest), parsed[BasebackupOptions.manifestChecksums] != nil {
            throw misuse("--no-manifest and --manifest-checksums are incompatible options")
        }
        if parsed.has(BasebackupOptions.noManifest), parsed.has(BasebackupOptions.manifestForceEncode) {
            throw misuse("--no-manifest and --manifest-force-encode are incompatible options")
        }
    }

    private func manifestChecksum(_ name: String) throws(UsageError) -> BaseBackup.ManifestChecksum {
        guard let checksum = BaseBackup.ManifestChecksum(rawValue: name.uppercased()) else {
            throw UsageError(
                "unrecognized checksum algorithm: \"\(name)\"",
                hint: "Use one of NONE, CRC32C, SHA224, SHA256, SHA384 and SHA512.")
        }
        return checksum
    }
}

extension BaseBackup.Target {
    fileprivate var isDirectory: Bool { if case .directory = self { true } else { false } }
    fileprivate var isOnServer: Bool { if case .server = self { true } else { false } }
}

extension BaseBackup.ArchiveCompression {
    fileprivate var isGzipHere: Bool {
        if case .client(let compression, _, _) = self { compression.method == .gzip } else { false }
    }
}
