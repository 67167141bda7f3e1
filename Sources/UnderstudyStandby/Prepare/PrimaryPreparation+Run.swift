import UnderstudyConnection
public import UnderstudyCore
import UnderstudyPlatform

extension PrimaryPreparation {
    /// Looks at the primary, and plans. Changes nothing.
    public func plan() async throws(UnderstudyError) -> Plan {
        let run = try PreparationRun(self)
        return try await OwnThread.run("prepare", interrupt: run.interrupt, failure: { UnderstudyError($0) }) {
            () throws(UnderstudyError) in try run.makePlan().shown
        }
    }

    /// Plans, and carries the plan out.
    ///
    /// Files are replaced durably and as a whole, and the old ones are kept beside them. A pg_hba.conf that the server would
    /// refuse is put back.
    ///
    /// When it throws, the error's detail says which steps were done, and its hint how to take them back.
    ///
    /// - Parameter done: Called after each step.
    public func run(done: @escaping @Sendable (Step) -> Void = { _ in }) async throws(UnderstudyError) -> Result {
        let run = try PreparationRun(self)
        var (result, restart) = try await OwnThread.run(
            "prepare", interrupt: run.interrupt, failure: { UnderstudyError($0) }
        ) { () throws(UnderstudyError) in try run.carryOut(done) }
        guard let restart else { return result }
        do throws(UnderstudyError) {
            try await restart.run()
            result.wasRestarted = true
            result.restartSettings = try await OwnThread.run(
                "prepare", interrupt: run.interrupt, failure: { UnderstudyError($0) }
            ) { () throws(UnderstudyError) in try run.checkRestarted() }
        } catch {
            throw run.explained(
                error, at: restart.step, isDone: result.wasRestarted,
                isDown: !result.wasRestarted && error.code == .start)
        }
        done(restart.step)
        return result
    }
}
