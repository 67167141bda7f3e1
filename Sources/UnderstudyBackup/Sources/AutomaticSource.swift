import Logging
import UnderstudyCore

/// Several connections where they can be used, and otherwise the one of BASE_BACKUP.
///
/// The choice falls in ``start()``, before a backup has begun on the server. Only a file's name that no query can hold is found
/// later: then the connections are closed, which ends that backup without a trace, and another one begins. A failure that one
/// connection would meet as well, such as that of the network, is no reason to try it.
final class AutomaticSource: BackupSource {
    private let context: SourceContext
    private var chosen: (any BackupSource)?

    init(_ context: SourceContext) {
        self.context = context
    }

    var keepsServerOrder: Bool { chosen?.keepsServerOrder ?? false }
    var takesTurns: Bool { chosen?.takesTurns ?? false }
    var sendsManifest: Bool { chosen?.sendsManifest ?? false }
    var connections: BaseBackup.Connections { chosen?.connections ?? .one }

    func start() throws(UnderstudyError) -> BackupStart {
        do throws(UnderstudyError) {
            try checkObstacles()
            return try startSeveral()
        } catch  where error.leavesOneConnection && !endsBackup(error) {
            // Ends the backup that has begun there, if one has.
            chosen = nil
            var metadata = Logger.Metadata.own
            if let remedy = error.remedy, !(error.cause is NameIsNoText) {
                metadata["hint"] = .stringConvertible(remedy)
            }
            context.logger.notice("the base data comes over one connection: \(error.message)", metadata: metadata)
            let source = BaseBackupSource(context)
            chosen = source
            return try source.start()
        }
    }

    /// Whether a failure is of the backup that has begun, and would be that of another one.
    private func endsBackup(_ error: UnderstudyError) -> Bool {
        (chosen as? ParallelSource)?.hasBegun == true && !(error.cause is NameIsNoText)
    }

    private func startSeveral() throws(UnderstudyError) -> BackupStart {
        let source = ParallelSource(context)
        chosen = source
        return try source.start()
    }

    /// Throws if the options, the target or the server's version do not allow several connections.
    private func checkObstacles() throws(UnderstudyError) {
        if let flaw = BackupOptionRules.obstacle(to: context.options) {
            throw UnderstudyError(.options, flaw, cause: SeveralAreRefused())
        }
        if context.placeOnServer != nil {
            throw UnderstudyError(.options, "the server itself puts the backup somewhere", cause: SeveralAreRefused())
        }
        try BackupOptionRules.checkSeveral(context.server.version)
    }

    func copy(into sink: some BackupSink, verification: ArrivalVerification) throws(UnderstudyError) {
        try chosen!.copy(into: sink, verification: verification)
    }

    func end() throws(UnderstudyError) -> BackupEnd {
        try chosen!.end()
    }
}

/// Several connections cannot be used: by the options, the server's version, the role's rights, or what stands in between.
struct SeveralAreRefused: Error {}

extension UnderstudyError {
    /// Whether one connection may do where several cannot be used.
    var leavesOneConnection: Bool {
        if cause is SeveralAreRefused || cause is NameIsNoText || code == .passwordNeeded { return true }
        // No line of pg_hba.conf, no right, no such database, no connection to spare; and what a pooler does not know. A
        // password that is wrong (28P01) is to be mended.
        let refusals = ["28000", "42501", "3D000", "53300", "08P01", "0A000", "42704", "42883"]
        return sqlState.map { refusals.contains($0) } ?? false
    }
}
