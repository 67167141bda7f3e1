import Understudy
import UnderstudyPlatform

extension Program {
    func verifybackup(_ words: [String], as personality: Personality) async -> Int32 {
        let request = { () throws(UsageError) in try VerifybackupPlan.read(words, as: personality) }
        return await run(.verifybackup, words, as: personality, request) { await verifybackup($0, personality) }
    }

    private func verifybackup(_ plan: VerifybackupPlan, _ personality: Personality) async -> Int32 {
        let console = console(personality, writesObjects: plan.writesJSON)
        let writer = Monitor(VerificationProgressWriter(style: style(plan, personality)))
        do throws(UnderstudyError) {
            let report = try await plan.verification.run(
                found: { console.failure($0.message, detail: $0.detail) },
                progress: { progress in
                    guard plan.showsProgress else { return }
                    // Under the lock, so that it is shown in order.
                    writer.change { console.show($0.update(progress, columns: StandardStreams.columns)) }
                })
            console.setStatus(nil)
            if plan.writesJSON {
                console.object(VerificationJSON.result(plan, report))
            } else if report.isSound, !plan.isQuiet {
                console.output("backup successfully verified")
            }
            return report.isSound ? ExitStatus.success : ExitStatus.failure
        } catch {
            console.setStatus(nil)
            console.error(error)
            return ExitStatus.of(error.code)
        }
    }

    private func style(_ plan: VerifybackupPlan, _ personality: Personality) -> VerificationProgressWriter.Style {
        if plan.writesJSON { return .json }
        if personality != .understudy { return .stock(isTerminal: canRewriteLines) }
        return canRewriteLines ? .terminal : .plain
    }
}
