import Understudy
import UnderstudyPlatform

/// Gives the options of `clone` their meaning, and refuses those that do not fit together.
struct CloneInterpreter {
    var parsed: OptionValues
    var users: Users
    /// Gives the value of a variable.
    var environment: (String) -> String?

    func plan(operands: [String]) throws(UsageError) -> ClonePlan {
        if let operand = operands.first {
            throw misuse("too many command-line arguments (first is \"\(operand)\")")
        }
        guard namesPrimary else {
            throw UsageError(
                "no primary specified",
                hint: "Use --primary \"host=HOST user=ROLE\", or -h HOST with -U ROLE, or set PGHOST or PGSERVICE.")
        }
        guard let directory = parsed[CloneOptions.pgdata], !directory.isEmpty else {
            throw misuse("no target directory specified")
        }

        var options = StandbyClone.Options()
        options.backup = try backup()
        options.slot = try slot()
        options.passfile = parsed[CloneOptions.passfile]
        options.port = try parsed[CloneOptions.standbyPort].map { text throws(UsageError) in
            try NumberArgument.integer(text, option: "--standby-port", in: 1...65535)
        }
        options.restoreCommand = try parsed.restoreCommand(misuse: misuse)
        options.settings = try parsed.settings(CloneOptions.set)
        if parsed[CloneOptions.configFile] != nil, parsed.has(CloneOptions.generateConfig) {
            throw misuse("--config-file and --generate-config are incompatible options")
        }
        options.configFile = parsed[CloneOptions.configFile]
        options.generateConfig = parsed.has(CloneOptions.generateConfig)
        options.leavesOutLogs = parsed.has(CloneOptions.noServerLogs)
        options.binDirectory = parsed[CloneOptions.binDir]
        options.log = parsed[CloneOptions.log]
        options.start = try start(owner: options.backup.owner)
        return ClonePlan(
            directory: directory, options: options,
            connection: ConnectionRequest(
                source: parsed[CloneOptions.primary], host: parsed[CloneOptions.primaryHost],
                port: parsed.last(of: CloneOptions.primaryPort, CloneOptions.port).flatMap { parsed[$0] },
                user: parsed[CloneOptions.primaryUser],
                password: parsed.passwordPolicy, program: Personality.understudy.program),
            progress: try parsed[CloneOptions.progress].map(ProgressChoice.parse) ?? .auto,
            verbose: parsed.has(CommonOptions.verbose), isDryRun: parsed.has(ExistingOptions.dryRun),
            warnings: warnings())
    }

    /// A clone never goes to a server of which nothing was said.
    private var namesPrimary: Bool {
        [CloneOptions.primary, CloneOptions.primaryHost, CloneOptions.primaryPort, CloneOptions.port].contains {
            parsed[$0] != nil
        } || ["PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE"].contains { !(environment($0) ?? "").isEmpty }
    }

    private func misuse(_ message: String) -> UsageError {
        UsageError(message, hint: UsageError.tryHelp(Personality.understudy.line(of: .clone)))
    }

    private func backup() throws(UsageError) -> BaseBackup.Options {
        var options = StandbyClone.Options().backup
        if let label = parsed[CloneOptions.label] { options.label = label }
        options.checkpoint = try parsed[CloneOptions.checkpoint].map(CheckpointArgument.parse) ?? .spread
        options.connections = try parsed.connections()
        options.maxRate = try parsed[CloneOptions.maxRate].map(RateArgument.parse)
        for text in parsed.all(CloneOptions.tablespaceMapping) {
            options.tablespaceMappings.append(try TablespaceArgument.parse(text))
        }
        if let path = parsed[CloneOptions.waldir], !path.isAbsolutePath {
            throw misuse("WAL directory location must be an absolute path")
        }
        options.walDirectory = parsed[CloneOptions.waldir]
        options.verifyServerChecksums = !parsed.has(CloneOptions.noVerifyChecksums)
        options.leavesHoles = parsed.has(CloneOptions.sparse)
        options.sync = !parsed.has(CloneOptions.noSync)
        options.cleanUp = !parsed.has(CloneOptions.noClean)
        options.forceClean = parsed.has(CloneOptions.forceClean)
        try parsed.readExisting(into: &options, isDirectory: true, misuse: misuse)
        if let text = parsed[CloneOptions.stallTimeout] { options.stallTimeout = try StallArgument.parse(text) }
        options.owner = try parsed[CloneOptions.owner].map(owner)
        return options
    }

    private func slot() throws(UsageError) -> ReplicationSlot {
        if parsed.has(CloneOptions.noSlot), parsed[CloneOptions.slot] != nil {
            throw misuse("--no-slot cannot be used with slot name")
        }
        return parsed[CloneOptions.slot].map { .createIfMissing($0) } ?? .none
    }

    private func owner(_ name: String) throws(UsageError) -> BaseBackup.Owner {
        guard let owner = users.find(name) else {
            throw UsageError(
                "user \"\(name)\" does not exist", hint: "Give --owner a user of this system, by name or number.")
        }
        guard users.isRoot || owner.user == users.effective else {
            throw UsageError(
                "only root can make files that belong to \"\(name)\"",
                hint: "Run this as \"\(name)\" and without --owner, or as root.")
        }
        return owner
    }

    private func start(owner: BaseBackup.Owner?) throws(UsageError) -> StandbyClone.Start? {
        guard parsed.has(CloneOptions.start) else {
            if parsed[CloneOptions.wait] != nil { throw misuse("--wait needs --start") }
            return nil
        }
        if users.isRoot, (owner?.user ?? 0) == 0 {
            throw UsageError(
                "a server cannot be started as root",
                hint: "Name the user that runs the server, for example --owner postgres.")
        }
        var start = StandbyClone.Start()
        if let text = parsed[CloneOptions.wait] { start.wait = try NumberArgument.duration(text, option: "--wait") }
        return start
    }

    private func warnings() -> [ClonePlan.Warning] {
        var warnings: [ClonePlan.Warning] = []
        if parsed.has(CloneOptions.start), let port = parsed[CloneOptions.port], parsed[CloneOptions.standbyPort] == nil
        {
            warnings.append(
                ClonePlan.Warning(
                    message:
                        "--port=\(port) is the primary's port, and the standby listens on that of its configuration",
                    hint: "Use --standby-port for the standby's."))
        }
        if parsed[CloneOptions.slot] == nil, !parsed.has(CloneOptions.noSlot) {
            warnings.append(
                ClonePlan.Warning(
                    message: "without a replication slot the primary may remove WAL that the standby still needs",
                    hint: "Use --slot NAME, or --no-slot if the standby can get WAL from an archive."))
        }
        if users.isRoot, parsed[CloneOptions.owner] == nil {
            warnings.append(
                ClonePlan.Warning(
                    message: "the files will belong to root, and a server does not run as root",
                    hint: "Use --owner USER, or run this as the user that runs the server."))
        }
        return warnings
    }
}
