import ArgumentParser

/// The option values, as text; `ReceivewalInterpreter` interprets them.
struct ReceivewalArguments: ParsableArguments {
    @Option var directory: String?
    @Option var compress: String?
    @Flag var noSync = false
    @Flag var synchronous = false
    @Option var slot: String?
    @Flag var createSlot = false
    @Flag var dropSlot = false
    @Flag var ifNotExists = false
    @Flag var recreateSlot = false
    @Option(name: .customLong("start-lsn")) var startLSN: String?
    @Option var endpos: String?
    @Flag var noLoop = false
    @Option var maxLag: String?
    @Option var maxRate: String?
    @Option var stallTimeout: String?
    @Option var statusInterval: String?
    @Flag var progress = false
    @Flag var verbose = false
    @Option var dbname: String?
    @Option var host: String?
    @Option var port: String?
    @Option var username: String?
    @Flag(exclusivity: .chooseLast) var password: PasswordFlag?
}
