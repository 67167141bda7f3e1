import Understudy

/// The options about what the target directory holds already.
enum ExistingOptions {
    static let delta = CommandOption(
        "delta", isLinked: false,
        help: """
            make an existing data directory equal to the server:
            only blocks that differ come, and what the server
            has not is removed
            """)
    static let resume = CommandOption(
        "resume", isLinked: false, help: "go on from what an interrupted run has left there")
    static let keepPartial = CommandOption(
        "keep-partial", isLinked: false, help: "keep what has come when it fails, for --resume")
    static let dryRun = CommandOption(
        "dry-run", isLinked: false,
        help: """
            with --delta or --resume: say what is there and what
            would go, and change nothing
            """)
    static let forceOtherCluster = CommandOption(
        "force-other-cluster", isLinked: false,
        help: """
            with --delta or --resume: overwrite the files of
            another database cluster
            """)
    static let all = [delta, resume, keepPartial, dryRun, forceOtherCluster]
}

extension OptionValues {
    /// What the target may hold, and what becomes of it.
    ///
    /// - Parameters:
    ///   - isDirectory: Whether the target is in plain format.
    ///   - misuse: Makes the error of a command line that cannot be.
    func readExisting(
        into options: inout BaseBackup.Options, isDirectory: Bool, misuse: (String) -> UsageError
    ) throws(UsageError) {
        if let given = ExistingOptions.all.first(where: { has($0) }), !isDirectory {
            throw misuse("--\(given.name) is for plain format: an archive is written anew")
        }
        options.keepPartial = has(ExistingOptions.keepPartial)
        if options.keepPartial, !options.cleanUp {
            throw misuse("--keep-partial and --no-clean are incompatible options")
        }
        guard has(ExistingOptions.delta) || has(ExistingOptions.resume) else {
            for option in [ExistingOptions.dryRun, ExistingOptions.forceOtherCluster] where has(option) {
                throw misuse("--\(option.name) needs --delta or --resume")
            }
            return
        }
        if has(ExistingOptions.delta), has(ExistingOptions.resume) {
            throw misuse("--delta and --resume are incompatible options")
        }
        options.existing = has(ExistingOptions.delta) ? .updated : .resumed
        let name = has(ExistingOptions.delta) ? "--delta" : "--resume"
        if options.forceClean { throw misuse("\(name) and --force-clean are incompatible options") }
        if options.wal == .fetch { throw misuse("\(name) cannot be used with WAL method fetch") }
        if options.incrementalManifest != nil { throw misuse("\(name) and --incremental are incompatible options") }
        options.overwritesOtherCluster = has(ExistingOptions.forceOtherCluster)
        if self[CommonOptions.jobs] == nil { options.connections = .automatic }
    }
}
