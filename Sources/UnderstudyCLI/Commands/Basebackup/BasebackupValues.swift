import Understudy

/// The values of a `basebackup` command line, each read by itself: in the order in which they were given, as the stock
/// tool does, so that the same one of two bad values is named.
struct BasebackupValues {
    var walMethod: BaseBackup.WALMethod?
    var checkpoint = BaseBackup.Checkpoint.spread
    var isTar: Bool?
    var maxRate: TransferRate?
    var mappings: [BaseBackup.TablespaceMapping] = []
    var statusInterval: Duration?
    var syncMethod = BaseBackup.SyncMethod.automatic
    var compression = BackupCompressionArgument("none")

    init(_ parsed: OptionValues) throws(UsageError) {
        for (name, value) in parsed.given { try read(name, value ?? "") }
    }

    private mutating func read(_ name: String, _ value: String) throws(UsageError) {
        switch name {
        case BasebackupOptions.walMethod.name: walMethod = try Self.walMethod(value)
        case BasebackupOptions.checkpoint.name: checkpoint = try CheckpointArgument.parse(value)
        case BasebackupOptions.format.name: isTar = try Self.isTar(value)
        case CommonOptions.maxRate.name: maxRate = try RateArgument.parse(value)
        case BasebackupOptions.tablespaceMapping.name: mappings.append(try TablespaceArgument.parse(value))
        case BasebackupOptions.statusInterval.name:
            let seconds = try NumberArgument.stockInteger(value, option: "-s/--status-interval", in: 0...2_147_483)
            statusInterval = .seconds(seconds)
        case BasebackupOptions.syncMethod.name: syncMethod = try Self.syncMethod(value)
        case BasebackupOptions.gzip.name: compression = BackupCompressionArgument("gzip")
        case BasebackupOptions.compress.name: compression = BackupCompressionArgument(value)
        default: break
        }
    }

    private static func walMethod(_ text: String) throws(UsageError) -> BaseBackup.WALMethod {
        switch text {
        case "n", "none": return .none
        case "f", "fetch": return .fetch
        case "s", "stream": return .stream
        default:
            throw UsageError("invalid wal-method option \"\(text)\", must be \"fetch\", \"stream\", or \"none\"")
        }
    }

    private static func isTar(_ text: String) throws(UsageError) -> Bool {
        switch text {
        case "p", "plain": return false
        case "t", "tar": return true
        default: throw UsageError("invalid output format \"\(text)\", must be \"plain\" or \"tar\"")
        }
    }

    private static func syncMethod(_ text: String) throws(UsageError) -> BaseBackup.SyncMethod {
        switch text {
        case "fsync": return .fsync
        case "syncfs": return .syncfs
        default: throw UsageError("unrecognized sync method: \(text)")
        }
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
