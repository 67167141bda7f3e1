import Understudy
import UnderstudyPlatform

/// Interprets the options, and refuses invalid combinations with the stock tool's messages, in the stock tool's order.
struct BasebackupInterpreter {
    var parsed: BasebackupArguments
    var personality: Personality

    func plan(operands: [String]) throws(UsageError) -> BasebackupPlan {
        let walMethod = try walMethod()
        let checkpoint = try parsed.checkpoint.map(CheckpointArgument.parse)
        try checkFormat()
        let maxRate = try parsed.maxRate.map(TransferRate.parse)
        var mappings: [BaseBackup.TablespaceMapping] = []
        for text in parsed.tablespaceMapping { mappings.append(try TablespaceArgument.parse(text)) }
        let interval = try parsed.statusInterval.map { text throws(UsageError) in
            try NumberArgument.integer(text, option: "-s/--status-interval", in: 0...2_147_483)
        }
        if let operand = operands.first {
            throw misuse("too many command-line arguments (first is \"\(operand)\")")
        }
        guard let directory = parsed.pgdata, !directory.isEmpty else { throw misuse("no target directory specified") }
        try refuseWhatIsMissing()
        let slot = try slot(walMethod: walMethod)
        if let path = parsed.waldir, !path.isAbsolutePath {
            throw misuse("WAL directory location must be an absolute path")
        }
        try checkEstimateAndManifest()

        var options = BaseBackup.Options(
            label: parsed.label ?? personality.label, wal: walMethod, checkpoint: checkpoint ?? .spread, slot: slot)
        options.maxRate = maxRate
        options.tablespaceMappings = mappings
        options.unmappedTablespaces = personality == .understudy ? .guarded : .anywhere
        options.takesTargetMode = false
        options.walDirectory = parsed.waldir
        options.verifyServerChecksums = !parsed.noVerifyChecksums
        options.manifest = !parsed.noManifest
        if let name = parsed.manifestChecksums { options.manifestChecksum = try manifestChecksum(name) }
        options.manifestForceEncode = parsed.manifestForceEncode
        options.estimateSize = !parsed.noEstimateSize
        options.sync = !parsed.noSync
        options.syncMethod = try syncMethod()
        options.cleanUp = !parsed.noClean
        options.forceClean = parsed.forceClean
        if let text = parsed.stallTimeout { options.stallTimeout = try StallArgument.parse(text) }
        if let interval { options.statusInterval = .seconds(interval) }
        options.writeRecoverySettings = parsed.writeRecoveryConf
        return BasebackupPlan(
            directory: directory, options: options,
            connection: ConnectionRequest(
                source: parsed.dbname, host: parsed.host, port: parsed.port, user: parsed.username,
                password: parsed.password, program: personality.program),
            progress: parsed.progress, verbose: parsed.verbose)
    }

    private func misuse(_ message: String) -> UsageError {
        UsageError(message, hint: UsageError.tryHelp(personality.baseBackupCommand))
    }

    private func walMethod() throws(UsageError) -> BaseBackup.WALMethod {
        if parsed.xlog, parsed.walMethod != nil { throw misuse("cannot specify both --xlog and --wal-method") }
        switch parsed.walMethod {
        case nil: return parsed.xlog ? .fetch : .stream
        case "n", "none": return .none
        case "f", "fetch": return .fetch
        case "s", "stream": return .stream
        case .some(let other):
            throw UsageError("invalid wal-method option \"\(other)\", must be \"fetch\", \"stream\", or \"none\"")
        }
    }

    private func checkFormat() throws(UsageError) {
        switch parsed.format {
        case nil, "p", "plain": return
        case "t", "tar": throw notYet("tar format is", hint: "Use plain format, which is the default.")
        case .some(let other):
            throw UsageError("invalid output format \"\(other)\", must be \"plain\" or \"tar\"")
        }
    }

    private func refuseWhatIsMissing() throws(UsageError) {
        if parsed.pgdata == "-" {
            throw notYet(
                "a backup to standard output is", hint: "Name a directory; one that is called \"-\" is \"./-\".")
        }
        if parsed.gzip || !["0", "none", nil].contains(parsed.compress) {
            throw notYet("compression is", hint: "Leave out -z, --gzip, -Z and --compress.")
        }
        if ![nil, "client"].contains(parsed.target) {
            throw notYet("a backup target on the server is", hint: "Leave out -t and --target.")
        }
        if parsed.incremental != nil {
            throw notYet("an incremental backup is", hint: "Leave out -i and --incremental for a full one.")
        }
    }

    private func syncMethod() throws(UsageError) -> BaseBackup.SyncMethod {
        switch parsed.syncMethod {
        case nil: return .automatic
        case "fsync": return .fsync
        case "syncfs": return .syncfs
        case .some(let other): throw UsageError("unrecognized sync method: \(other)")
        }
    }

    private func notYet(_ what: String, hint: String) -> UsageError {
        UsageError("\(what) not supported yet", hint: hint)
    }

    private func slot(walMethod: BaseBackup.WALMethod) throws(UsageError) -> BaseBackup.Slot {
        if parsed.slot != nil, walMethod != .stream {
            throw misuse("replication slots can only be used with WAL streaming")
        }
        if parsed.noSlot, parsed.slot != nil { throw misuse("--no-slot cannot be used with slot name") }
        if parsed.createSlot, parsed.slot == nil {
            throw misuse("--create-slot needs a slot to be specified using --slot")
        }
        if let name = parsed.slot { return parsed.createSlot ? .create(name) : .existing(name) }
        return parsed.noSlot || walMethod != .stream ? .none : .temporary
    }

    private func checkEstimateAndManifest() throws(UsageError) {
        if parsed.progress, parsed.noEstimateSize {
            throw misuse("--progress and --no-estimate-size are incompatible options")
        }
        if parsed.noManifest, parsed.manifestChecksums != nil {
            throw misuse("--no-manifest and --manifest-checksums are incompatible options")
        }
        if parsed.noManifest, parsed.manifestForceEncode {
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

/// The value of `--checkpoint`, in upper or lower case, as with the stock tool.
enum CheckpointArgument {
    static func parse(_ text: String) throws(UsageError) -> BaseBackup.Checkpoint {
        guard let checkpoint = BaseBackup.Checkpoint(rawValue: text.lowercased()) else {
            throw UsageError("invalid checkpoint argument \"\(text)\", must be \"fast\" or \"spread\"")
        }
        return checkpoint
    }
}
