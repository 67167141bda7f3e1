import ArgumentParser

/// The option values, as text; `BasebackupInterpreter` interprets them.
struct BasebackupArguments: ParsableArguments {
    @Option var pgdata: String?
    @Option var format: String?
    @Option var walMethod: String?
    @Flag var xlog = false
    @Option var waldir: String?
    @Flag var writeRecoveryConf = false
    @Option var slot: String?
    @Flag var createSlot = false
    @Flag var noSlot = false
    @Option var maxRate: String?
    @Option(parsing: .singleValue) var tablespaceMapping: [String] = []
    @Option var checkpoint: String?
    @Option var label: String?
    @Flag var noClean = false
    @Flag var forceClean = false
    @Option var stallTimeout: String?
    @Flag var noSync = false
    @Flag var progress = false
    @Flag var verbose = false
    @Option var statusInterval: String?
    @Flag var noVerifyChecksums = false
    @Flag var noManifest = false
    @Option var manifestChecksums: String?
    @Flag var manifestForceEncode = false
    @Flag var noEstimateSize = false
    @Option var dbname: String?
    @Option var host: String?
    @Option var port: String?
    @Option var username: String?
    @Flag(exclusivity: .chooseLast) var password: PasswordFlag?

    // Recognized, and refused if they ask for something that is not supported yet.
    @Option var target: String?
    @Flag var gzip = false
    @Option var compress: String?
    @Option var incremental: String?
    @Option var syncMethod: String?
}
