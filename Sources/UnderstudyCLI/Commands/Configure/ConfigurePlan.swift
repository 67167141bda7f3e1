import Understudy

/// What a `configure` command line asks for.
struct ConfigurePlan: Sendable, Equatable {
    var directory: String
    var options: StandbyDirectory.Options
    /// Where the primary is; nil if none is named.
    var connection: ConnectionRequest?
    var isDryRun: Bool
    var verbose: Bool

    /// - Parameter environment: Gives the value of a variable.
    static func read(
        _ arguments: [String], environment: @escaping (String) -> String? = { _ in nil }
    ) throws(UsageError) -> Request<ConfigurePlan> {
        try .read(arguments, of: .configure, as: .understudy) { parsed, operands throws(UsageError) in
            try ConfigureInterpreter(parsed: parsed, environment: environment).plan(operands: operands)
        }
    }
}

/// Gives the options of `configure` their meaning, and refuses those that do not fit together.
struct ConfigureInterpreter {
    var parsed: OptionValues
    var environment: (String) -> String?

    func plan(operands: [String]) throws(UsageError) -> ConfigurePlan {
        if let operand = operands.first {
            throw misuse("too many command-line arguments (first is \"\(operand)\")")
        }
        guard let directory = parsed[ConfigureOptions.pgdata], !directory.isEmpty else {
            throw misuse("no data directory specified")
        }
        var options = StandbyDirectory.Options()
        options.mode = try parsed[ConfigureOptions.mode].map { word throws(UsageError) in
            try choice(word, ConfigureOptions.mode)
        }
        options.configFile = parsed[ConfigureOptions.configFile]
        options.slotName = try slot()
        options.restoreCommand = try parsed.restoreCommand(misuse: misuse)
        options.archiveCleanupCommand = parsed[ConfigureOptions.archiveCleanupCommand]
        options.recoveryEndCommand = parsed[ConfigureOptions.recoveryEndCommand]
        options.recoveryTarget = try target()
        options.timeline = try parsed[ConfigureOptions.timeline].map(timeline)
        options.minApplyDelay = parsed[ConfigureOptions.minApplyDelay]
        options.triggerFile = parsed[ConfigureOptions.triggerFile]
        options.port = try parsed[ConfigureOptions.port].map { text throws(UsageError) in
            try NumberArgument.integer(text, option: "--\(ConfigureOptions.port.name)", in: 1...65535)
        }
        options.settings = try parsed.settings(ConfigureOptions.set)
        options.removedSettings = parsed.all(ConfigureOptions.reset)
        let connection = try connection()
        options.password = connection == nil ? nil : environment("PGPASSWORD").flatMap { $0.isEmpty ? nil : $0 }
        options.passwordPlace = try passwordPlace(connection)
        return ConfigurePlan(
            directory: directory, options: options, connection: connection,
            isDryRun: parsed.has(ConfigureOptions.dryRun), verbose: parsed.has(CommonOptions.verbose))
    }

    private func misuse(_ message: String) -> UsageError {
        UsageError(message, hint: UsageError.tryHelp(Personality.understudy.line(of: .configure)))
    }

    private func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ word: String, _ option: CommandOption
    ) throws(UsageError) -> Choice {
        if let choice = Choice(rawValue: word) { return choice }
        throw invalid(word, option, "Use one of \(Choice.allCases.map(\.rawValue).joined(separator: ", ")).")
    }

    private func invalid(_ value: String, _ option: CommandOption, _ hint: String) -> UsageError {
        UsageError("invalid value \"\(value)\" for option --\(option.name)", hint: hint)
    }

    // MARK: - The primary

    private func connection() throws(UsageError) -> ConnectionRequest? {
        let connection = ConnectionRequest(
            source: parsed[CloneOptions.primary], host: parsed[CloneOptions.primaryHost],
            port: parsed[CloneOptions.primaryPort], user: parsed[CloneOptions.primaryUser],
            password: parsed.passwordPolicy, program: Personality.understudy.program)
        let naming = [
            CloneOptions.primary, CloneOptions.primaryHost, CloneOptions.primaryPort, CloneOptions.primaryUser,
        ]
        if naming.contains(where: { parsed[$0] != nil }) { return connection }
        for option in [ConfigureOptions.password, ConfigureOptions.noPassword, CloneOptions.passfile]
        where parsed.has(option) {
            throw misuse("--\(option.name) needs --primary, or one of -h, -p and -U")
        }
        return nil
    }

    private func passwordPlace(
        _ connection: ConnectionRequest?
    ) throws(UsageError) -> StandbyDirectory.PasswordPlace {
        let isLeftOut = connection?.password == .never
        guard let path = parsed[CloneOptions.passfile] else { return isLeftOut ? .leftOut : .inline }
        if path.isEmpty { throw misuse("the name of the password file is empty") }
        if isLeftOut { throw misuse("--passfile and --no-password are incompatible options") }
        return .file(path)
    }

    private func slot() throws(UsageError) -> String? {
        guard parsed.has(ConfigureOptions.noSlot) else { return parsed[ConfigureOptions.slot] }
        if parsed[ConfigureOptions.slot] != nil { throw misuse("--no-slot cannot be used with slot name") }
        return ""
    }

    // MARK: - The target

    private func target() throws(UsageError) -> RecoveryTarget? {
        let given = ConfigureOptions.places.filter { parsed.has($0) }
        guard given.count <= 1 else {
            throw misuse("--\(given[0].name) and --\(given[1].name) are incompatible options")
        }
        let inclusive = parsed[ConfigureOptions.targetInclusive], action = parsed[ConfigureOptions.targetAction]
        guard let option = given.first else {
            for (option, value) in [
                (ConfigureOptions.targetInclusive, inclusive), (ConfigureOptions.targetAction, action),
            ] where value != nil {
                throw misuse("--\(option.name) needs a recovery target")
            }
            return nil
        }
        var target = RecoveryTarget(try place(option, parsed[option] ?? ""))
        if let inclusive {
            guard ["on", "off"].contains(inclusive) else {
                throw invalid(inclusive, ConfigureOptions.targetInclusive, "Use on or off.")
            }
            target.isInclusive = inclusive == "on"
        }
        target.action = try action.map { word throws(UsageError) in try choice(word, ConfigureOptions.targetAction) }
        return target
    }

    private func place(_ option: CommandOption, _ value: String) throws(UsageError) -> RecoveryTarget.Place {
        switch option.name {
        case ConfigureOptions.targetTime.name: return .time(value)
        case ConfigureOptions.targetName.name: return .name(value)
        case ConfigureOptions.targetXID.name:
            guard let number = UInt64(value) else { throw invalid(value, option, "Give the number of a transaction.") }
            return .transaction(number)
        case ConfigureOptions.targetLSN.name:
            guard let lsn = LSN(value) else { throw invalid(value, option, "Give a position such as 0/3000148.") }
            return .lsn(lsn)
        default: return .immediate
        }
    }

    private func timeline(_ word: String) throws(UsageError) -> RecoveryTimeline {
        switch word {
        case "latest": return .latest
        case "current": return .current
        default:
            guard let number = UInt32(word), number > 0 else {
                throw invalid(
                    word, ConfigureOptions.timeline,
                    "Use latest, current, or a number in decimal digits; names of WAL files have it in hexadecimal ones."
                )
            }
            return .number(TimelineID(rawValue: number))
        }
    }
}
