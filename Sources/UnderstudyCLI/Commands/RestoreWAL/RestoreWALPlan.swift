import Understudy

/// What a `restore-wal` command line asks for.
struct RestoreWALPlan: Sendable, Equatable {
    /// What to do if the archive cannot tell.
    enum Doubt: String, Sendable {
        case stop, wait
    }

    var file: String
    var path: String
    var directories: [String]
    var servesDiverged: Bool
    /// nil to choose by the kind of recovery.
    var onDoubt: Doubt?
    /// nil to choose by the kind of recovery.
    var retryTime: Duration?
    var readAhead: Int
    var verbose: Bool

    /// The directories that are used if none is given.
    static let variable = "UNDERSTUDY_ARCHIVE"

    static func read(
        _ arguments: [String], environment: (String) -> String?
    ) throws(UsageError) -> Request<RestoreWALPlan> {
        try .read(arguments, of: .restoreWAL, as: .understudy) { parsed, operands throws(UsageError) in
            try plan(parsed, operands, environment)
        }
    }

    private static func misuse(_ message: String) -> UsageError {
        UsageError(message, hint: UsageError.tryHelp(Personality.understudy.line(of: .restoreWAL)))
    }

    private static func plan(
        _ parsed: OptionValues, _ operands: [String], _ environment: (String) -> String?
    ) throws(UsageError) -> RestoreWALPlan {
        var directories = parsed.all(RestoreWALOptions.directory)
        if directories.isEmpty, let list = environment(variable) {
            // What is not UTF-8 has been repaired, and would name another directory.
            if list.unicodeScalars.contains("\u{FFFD}") {
                throw UsageError("variable \(variable) is not valid UTF-8", hint: UsageError.useUTF8)
            }
            directories = list.utf8.split(separator: UInt8(ascii: ":")).map { String(Substring($0)) }
        }
        guard !directories.isEmpty else {
            throw UsageError(
                "no archive directory specified", hint: "Name it with -D, or in the variable \(variable).")
        }
        if directories.contains("") { throw misuse("the name of an archive directory is empty") }
        guard operands.count >= 2 else {
            throw misuse(
                "no \(operands.isEmpty ? "file" : "path for the file") specified, which are %f and %p in restore_command"
            )
        }
        if operands.count > 2 {
            throw misuse("too many command-line arguments (first is \"\(operands[2])\")")
        }
        let name = operands[0]
        guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "/")), !name.hasPrefix(".") else {
            throw misuse("\"\(name)\" cannot be the name of a file in an archive")
        }
        if operands[1].isEmpty { throw misuse("the path for the file is empty") }
        return RestoreWALPlan(
            file: name, path: operands[1], directories: directories,
            servesDiverged: parsed.has(RestoreWALOptions.diverged), onDoubt: try onDoubt(parsed),
            retryTime: try parsed[RestoreWALOptions.retryTime].map { text throws(UsageError) in
                try NumberArgument.duration(text, option: "--retry-time")
            },
            readAhead: try parsed[RestoreWALOptions.prefetch].map { text throws(UsageError) in
                try NumberArgument.integer(text, option: "--prefetch", in: 0...256)
            } ?? 4,
            verbose: parsed.has(CommonOptions.verbose))
    }

    private static func onDoubt(_ parsed: OptionValues) throws(UsageError) -> Doubt? {
        guard let word = parsed[RestoreWALOptions.onDoubt] else { return nil }
        guard let choice = Doubt(rawValue: word) else {
            throw UsageError("invalid value \"\(word)\" for option --on-doubt", hint: "Use stop or wait.")
        }
        return choice
    }
}

extension RestoreWALPlan {
    /// What happens at the end, and how long it takes until then.
    ///
    /// - Returns: The time to try again, nil for as long as it takes; and whether the server is to be stopped then.
    func choice(in recovery: WALRecovery) -> (retryTime: Duration?, stops: Bool) {
        // A standby asks again by itself; a status above 125 would shut it down, with all who read from it.
        if recovery == .standby { return (retryTime ?? .seconds(1), onDoubt == .stop) }
        // Stopped before it has chosen its timeline, it would come up again on the old one, as if nothing had been.
        if recovery == .ending { return (retryTime ?? .seconds(5), onDoubt == .stop) }
        if onDoubt == .wait { return (nil, true) }
        return (retryTime ?? (recovery == .endsByItself ? .seconds(30) : .zero), true)
    }
}
