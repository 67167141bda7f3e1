import UnderstudyConnection
public import UnderstudyCore
import UnderstudyPlatform

extension BaseBackup {
    /// Takes the backup.
    ///
    /// When it returns, every byte is on stable storage (unless `options.sync` is off) and, with a manifest, verified.
    /// When it throws, it has removed what it made (unless the server found damaged pages), left existing directories
    /// as before, and dropped the slot that it created; none of this happens if `options.cleanUp` is off. Cancelling
    /// the task does the same.
    ///
    /// - Parameter progress: Called at each change of phase and otherwise about four times a second, not on a hot path.
    public func run(
        into target: Target, progress: @escaping @Sendable (BackupProgress) -> Void = { _ in }
    ) async throws(UnderstudyError) -> BackupResult {
        let interrupt = Interrupt(), hurry = Interrupt()
        let meter = ProgressMeter(namesFiles: options.namesFiles, progress)
        meter.start()
        do throws(UnderstudyError) {
            let result = try await OwnThread.run(
                "backup", interrupt: interrupt, also: hurry, failure: { UnderstudyError($0) }
            ) {
                () throws(UnderstudyError) in
                let target = makeTarget(target, interrupt)
                let run = BackupRun(
                    options: options, target: target, parameters: try ConnectionParameters(reading: source),
                    interrupt: interrupt,
                    hurry: hurry, meter: meter, logger: logger)
                return try run.run { session, _ throws(UnderstudyError) in
                    // With `writeRecoverySettings` such a name was refused already.
                    try run.warnOfName(session)
                } addFiles: { facts throws(UnderstudyError) in
                    guard options.writeRecoverySettings else { return }
                    let recovery = RecoveryFiles(
                        facts, target: target, parameters: try ConnectionParameters(reading: source),
                        overridesCopied: false)
                    recovery.warn(logger)
                    try recovery.write()
                }
            }
            meter.finish(.done)
            return result
        } catch {
            meter.finish(.failed)
            throw error
        }
    }

    private func makeTarget(_ target: Target, _ interrupt: Interrupt) -> any BackupTarget {
        switch target {
        case .directory(let path):
            DirectoryTarget(path: path, options: options, interrupt: interrupt, logger: logger)
        case .tarStream(let descriptor):
            TarStreamTarget(descriptor: descriptor, options: options, interrupt: interrupt, logger: logger)
        case .server(let name, let detail):
            ServerTarget(BackupPlace(name: name, detail: detail), options: options)
        case .tarFiles(let path): TarTarget(path: path, options: options, interrupt: interrupt, logger: logger)
        }
    }
}
