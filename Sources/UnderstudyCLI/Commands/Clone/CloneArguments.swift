import ArgumentParser

/// The option values, as text; `CloneInterpreter` interprets them.
struct CloneArguments: ParsableArguments {
    @Option var primary: String?
    @Option var primaryHost: String?
    @Option var primaryPort: String?
    @Option var primaryUser: String?
    @Flag(exclusivity: .chooseLast) var password: PasswordFlag?
    @Option var pgdata: String?
    @Option(parsing: .singleValue) var tablespaceMapping: [String] = []
    @Option var waldir: String?
    @Option var owner: String?
    @Option var slot: String?
    @Flag var noSlot = false
    @Option var passfile: String?
    @Option var port: String?
    @Option var configFile: String?
    @Flag var generateConfig = false
    @Flag var start = false
    @Option var binDir: String?
    @Option var wait: String?
    @Option var checkpoint: String?
    @Option var maxRate: String?
    @Option var label: String?
    @Flag var noClean = false
    @Flag var forceClean = false
    @Option var stallTimeout: String?
    @Flag var noSync = false
    @Flag var noVerifyChecksums = false
    @Option var progress: String?
    @Flag var verbose = false
}
