import Understudy

/// What a `prepare` command line asks for.
struct PreparePlan: Sendable, Equatable {
    var options: PrimaryPreparation.Options
    var connection: ConnectionRequest
    /// The file whose first line is the role's password.
    var passwordFile: String?
    var isDryRun: Bool
    var verbose: Bool

    static let passwordVariable = "UNDERSTUDY_ROLE_PASSWORD"

    static func read(_ arguments: [String]) throws(UsageError) -> Request<PreparePlan> {
        try .read(arguments, of: .prepare, as: .understudy) { parsed, operands throws(UsageError) in
            try PreparePlan(parsed, operands: operands)
        }
    }

    private init(_ parsed: OptionValues, operands: [String]) throws(UsageError) {
        func misuse(_ message: String) -> UsageError {
            UsageError(message, hint: UsageError.tryHelp(Personality.understudy.line(of: .prepare)))
        }
        if let operand = operands.first {
            throw misuse("too many command-line arguments (first is \"\(operand)\")")
        }
        var options = PrimaryPreparation.Options(standbys: parsed.all(PrepareOptions.standby))
        if let role = parsed[PrepareOptions.role] { options.role = role }
        options.maxWALSenders = try Self.number(parsed, PrepareOptions.maxWALSenders)
        options.maxReplicationSlots = try Self.number(parsed, PrepareOptions.maxReplicationSlots)
        options.walKeep = try parsed[PrepareOptions.walKeep].map { text throws(UsageError) in
            let bytes = try NumberArgument.bytes(text, option: "--wal-keep")
            // More than a server could be told to keep.
            guard bytes <= 1 << 50 else { throw misuse("--wal-keep must be at most 1024TB") }
            return bytes
        }
        options.listenAddresses = parsed[PrepareOptions.listenAddresses]
        options.editsFiles = parsed.has(PrepareOptions.editFiles)
        options.binDirectory = parsed[PrepareOptions.binDir]
        if parsed.has(PrepareOptions.restart) {
            var restart = PrimaryPreparation.Restart()
            if let text = parsed[PrepareOptions.wait] {
                restart.wait = try NumberArgument.duration(text, option: "--wait")
            }
            options.restart = restart
        } else if parsed[PrepareOptions.wait] != nil || parsed[PrepareOptions.binDir] != nil {
            throw misuse("--wait and --bin-dir need --restart")
        }
        self.options = options
        // libpq takes one for each host, and the usual one for what is empty.
        for port in (parsed[PrepareOptions.primaryPort] ?? "").split(separator: ",") {
            _ = try NumberArgument.integer(
                String(port), option: "--\(PrepareOptions.primaryPort.name)", in: 1...65_535)
        }
        connection = ConnectionRequest(
            source: parsed[CloneOptions.primary], host: parsed[CloneOptions.primaryHost],
            port: parsed[PrepareOptions.primaryPort], user: parsed[PrepareOptions.primaryUser],
            password: parsed.passwordPolicy, program: Personality.understudy.program)
        passwordFile = parsed[PrepareOptions.passwordFile]
        isDryRun = parsed.has(PrepareOptions.dryRun)
        verbose = parsed.has(CommonOptions.verbose)
    }

    /// As many as any server can have: MAX_BACKENDS.
    private static func number(_ parsed: OptionValues, _ option: CommandOption) throws(UsageError) -> Int? {
        try parsed[option].map { text throws(UsageError) in
            try NumberArgument.integer(text, option: "--\(option.name)", in: 1...262_143)
        }
    }
}
