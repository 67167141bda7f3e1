import Understudy
import UnderstudyPlatform

/// Gives the options their meaning, and refuses those that do not fit together with the stock tool's words, in the
/// stock tool's order.
struct BasebackupInterpreter {
    var parsed: OptionValues
    var personality: Personality

    func plan(operands: [String]) throws(UsageError) -> BasebackupPlan {
        let walMethod = try walMethod()
        let checkpoint = try parsed[BasebackupOptions.checkpoint].map(CheckpointArgument.parse)
        let isTar = try isTar()
        let maxRate = try parsed[CommonOptions.maxRate].map(RateArgument.parse)
        var mappings: [BaseBackup.TablespaceMapping] = []
        for text in parsed.all(BasebackupOptions.tablespaceMapping) {
            mappings.append(try TablespaceArgument.parse(text))
        }
        let interval = try parsed[BasebackupOptions.statusInterval].map { text throws(UsageError) in
            try NumberArgument.integer(text, option: "-s/--status-interval", in: 0...2_147_483)
        }
        if let operand = operands.first {
            throw misuse("too many command-line arguments (first is \"\(operand)\")")
        }
        guard let directory = parsed[BasebackupOptions.pgdata], !directory.isEmpty else {
            throw misuse("no target directory specified")
        }
        let target = try target(directory, isTar: isTar)
        try refuseUnsupportedOptions()
        let slot = try slot(walMethod: walMethod)
        if let path = parsed[BasebackupOptions.waldir] {
            if isTar { throw misuse("WAL directory location can only be specified in plain mode") }
            if !path.isAbsolutePath { throw misuse("WAL directory location must be an absolute path") }
        }
        if isTar, !mappings.isEmpty {
            if personality == .understudy {
                throw misuse("tablespaces can be mapped to directories only in plain mode")
            }
            // The stock tool takes them, and does nothing with them.
            mappings = []
        }
        try checkEstimateAndManifest()

        var options = BaseBackup.Options(
            label: parsed[BasebackupOptions.label] ?? personality.label, wal: walMethod,
            checkpoint: checkpoint ?? .spread, slot: slot)
        options.maxRate = maxRate
        options.tablespaceMappings = mappings
        options.unmappedTablespaces = personality == .understudy ? .guarded : .anywhere
        options.takesTargetMode = false
        options.walDirectory = parsed[BasebackupOptions.waldir]
        options.verifyServerChecksums = !parsed.has(BasebackupOptions.noVerifyChecksums)
        options.manifest = !parsed.has(BasebackupOptions.noManifest)
        if let name = parsed[BasebackupOptions.manifestChecksums] {
            options.manifestChecksum = try manifestChecksum(name)
        }
        options.manifestForceEncode = parsed.has(BasebackupOptions.manifestForceEncode)
        options.estimateSize = !parsed.has(BasebackupOptions.noEstimateSize)
        options.sync = !parsed.has(BasebackupOptions.noSync)
        options.syncMethod = try syncMethod()
        options.cleanUp = !parsed.has(BasebackupOptions.noClean)
        options.forceClean = parsed.has(BasebackupOptions.forceClean)
        options.spoolDirectory = try spoolDirectory(target)
        if let text = parsed[BasebackupOptions.stallTimeout] { options.stallTimeout = try StallArgument.parse(text) }
        if let interval { options.statusInterval = .seconds(interval) }
        options.writeRecoverySettings = parsed.has(BasebackupOptions.writeRecoveryConf)
        return BasebackupPlan(
            target: target, options: options,
            connection: parsed.connection(program: personality.program),
            progress: parsed.has(BasebackupOptions.progress), verbose: parsed.has(CommonOptions.verbose))
    }

    private func misuse(_ message: String) -> UsageError {
        UsageError(message, hint: UsageError.tryHelp(personality.line(of: .basebackup)))
    }

    private func walMethod() throws(UsageError) -> BaseBackup.WALMethod {
        if parsed.has(BasebackupOptions.xlog), parsed[BasebackupOptions.walMethod] != nil {
            throw misuse("cannot specify both --xlog and --wal-method")
        }
        switch parsed[BasebackupOptions.walMethod] {
        case nil: return parsed.has(BasebackupOptions.xlog) ? .fetch : .stream
        case "n", "none": return .none
        case "f", "fetch": return .fetch
        case "s", "stream": return .stream
        case .some(let other):
            throw UsageError("invalid wal-method option \"\(other)\", must be \"fetch\", \"stream\", or \"none\"")
        }
    }

    private func isTar() throws(UsageError) -> Bool {
        switch parsed[BasebackupOptions.format] {
        case nil, "p", "plain": return false
        case "t", "tar": return true
        case .some(let other):
            throw UsageError("invalid output format \"\(other)\", must be \"plain\" or \"tar\"")
        }
    }

    private func target(_ directory: String, isTar: Bool) throws(UsageError) -> BaseBackup.Target {
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

    private func spoolDirectory(_ target: BaseBackup.Target) throws(UsageError) -> String? {
        guard let directory = parsed[BasebackupOptions.spoolDirectory] else { return nil }
        guard case .tarStream = target else {
            throw misuse("--spool-directory is for an archive on standard output")
        }
        return directory
    }

    private func refuseUnsupportedOptions() throws(UsageError) {
        if parsed.has(BasebackupOptions.gzip) || !["0", "none", nil].contains(parsed[BasebackupOptions.compress]) {
            throw notYet("compression is", hint: "Leave out -z, --gzip, -Z and --compress.")
        }
        if ![nil, "client"].contains(parsed[BasebackupOptions.target]) {
            throw notYet("a backup target on the server is", hint: "Leave out -t and --target.")
        }
        if parsed[BasebackupOptions.incremental] != nil {
            throw notYet("an incremental backup is", hint: "Leave out -i and --incremental for a full one.")
        }
    }

    private func syncMethod() throws(UsageError) -> BaseBackup.SyncMethod {
        switch parsed[BasebackupOptions.syncMethod] {
        case nil: return .automatic
        case "fsync": return .fsync
        case "syncfs": return .syncfs
        case .some(let other): throw UsageError("unrecognized sync method: \(other)")
        }
    }

    private func notYet(_ what: String, hint: String) -> UsageError {
        UsageError("\(what) not supported yet", hint: hint)
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

    private func checkEstimateAndManifest() throws(UsageError) {
        if parsed.has(BasebackupOptions.progress), parsed.has(BasebackupOptions.noEstimateSize) {
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

/// The value of `--checkpoint`, in any case, as the stock tool takes it.
enum CheckpointArgument {
    static func parse(_ text: String) throws(UsageError) -> BaseBackup.Checkpoint {
        guard let checkpoint = BaseBackup.Checkpoint(rawValue: text.lowercased()) else {
            throw UsageError("invalid checkpoint argument \"\(text)\", must be \"fast\" or \"spread\"")
        }
        return checkpoint
    }
}
