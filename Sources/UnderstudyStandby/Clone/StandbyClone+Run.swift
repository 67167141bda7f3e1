import Logging
public import UnderstudyBackup
import UnderstudyConnection
public import UnderstudyCore
import UnderstudyPlatform

extension StandbyClone {
    /// Clones into `directory`, which must be absent or empty.
    ///
    /// When it returns, the copy is on stable storage, verified against the server's manifest (from 13), and has its
    /// recovery settings; with `options.start` the standby streams.
    ///
    /// When it throws, it has removed what it made, including the slot, unless `options.backup.cleanUp` is off. But a
    /// complete copy that did not start or stream (``UnderstudyError/Code/start``) is kept, and a started server is
    /// left running, unless it has left recovery (``UnderstudyError/Code/notInRecovery``): then it is stopped.
    /// Cancelling the task stops a started server, and removes everything.
    ///
    /// - Parameter progress: Called at each change of phase and otherwise about four times a second, not on a hot path.
    public func run(
        into directory: String, progress: @escaping @Sendable (BackupProgress) -> Void = { _ in }
    ) async throws(UnderstudyError) -> Result {
        let interrupt = Interrupt(), hurry = Interrupt()
        let meter = ProgressMeter(progress)
        meter.start()
        do throws(UnderstudyError) {
            let clone = try makeRun(into: directory, meter, interrupt, hurry)
            try await OwnThread.run("clone", interrupt: interrupt, also: hurry, failure: { UnderstudyError($0) }) {
                () throws(UnderstudyError) in try clone.copy()
            }
            let result = try await clone.start(meter)
            meter.finish(.done)
            return result
        } catch {
            meter.finish(.failed)
            throw error
        }
    }

    /// What a run with these options would find: as ``BaseBackup/survey(of:report:)``, with what a standby needs besides.
    ///
    /// - Parameter report: Called for each path, of which there may be as many as files; not on the caller's thread.
    public func survey(
        of directory: String, report: @escaping @Sendable (BaseBackup.SurveyedPath) -> Void = { _ in }
    ) async throws(UnderstudyError) -> BaseBackup.Survey {
        let interrupt = Interrupt(), hurry = Interrupt()
        let clone = try makeRun(into: directory, ProgressMeter { _ in }, interrupt, hurry)
        return try await OwnThread.run("survey", interrupt: interrupt, also: hurry, failure: { UnderstudyError($0) }) {
            () throws(UnderstudyError) in try clone.survey(report)
        }
    }

    private func makeRun(
        into directory: String, _ meter: ProgressMeter, _ interrupt: Interrupt, _ hurry: Interrupt
    ) throws(UnderstudyError) -> CloneRun {
        var backupOptions = options.backup
        backupOptions.slot = options.slot.name == nil ? .temporary : options.slot
        let target = DirectoryTarget(path: directory, options: backupOptions, interrupt: interrupt, logger: logger)
        return CloneRun(
            options: options, interrupt: interrupt, logger: logger, target: target,
            backup: BackupRun(
                options: backupOptions, target: target, parameters: try ConnectionParameters(reading: source),
                interrupt: interrupt, hurry: hurry, meter: meter, logger: logger))
    }
}
