import Understudy

extension Program {
    func check(_ words: [String]) async -> Int32 {
        let request = { () throws(UsageError) in try CheckPlan.read(words) }
        return await run(.check, words, as: .understudy, request) { await check($0) }
    }

    private func check(_ plan: CheckPlan) async -> Int32 {
        let console = console(.understudy, verbose: plan.verbose, writesObjects: plan.writesJSON)
        let showsWait = canRewriteLines
        do throws(UnderstudyError) {
            let report = try await work(plan.connection, console: console, remains: .archive(nil), abandoned: { _ in })
            {
                source throws(UnderstudyError) in
                let options = ReplicationCheck.Options(
                    roundTrip: plan.roundTrip, wait: plan.wait, isStrict: plan.isStrict,
                    // What was asked for, for whichever server wants it.
                    password: source.overrides["password"])
                let check = ReplicationCheck(
                    primary: plan.primary?.source, standby: plan.standby?.source, options: options,
                    logger: console.logger)
                return try await check.run { report in
                    let verdict = "not well yet: \(CheckText.verdict(report))"
                    if showsWait { console.setStatus(verdict) } else { console.info(verdict) }
                }
            }
            console.setStatus(nil)
            if plan.writesJSON {
                console.object(CheckJSON.report(report))
            } else {
                console.output(CheckText.text(report, asTable: outputIsTerminal))
            }
            if report.level == .error { return ExitStatus.failure }
            return report.isWell(strict: plan.isStrict) ? ExitStatus.success : ExitStatus.notStrictlyWell
        } catch {
            console.setStatus(nil)
            console.error(error)
            return ExitStatus.of(error.code)
        }
    }
}
