import Understudy

extension Program {
    func basebackup(_ words: [String], as personality: Personality) async -> Int32 {
        await run(
            .basebackup, as: personality, { () throws(UsageError) in try BasebackupPlan.read(words, as: personality) }
        ) {
            await basebackup($0, as: personality)
        }
    }

    private func basebackup(_ plan: BasebackupPlan, as personality: Personality) async -> Int32 {
        let console = Console(program: personality.program, verbose: plan.verbose, write: write)
        let reporter = ProgressReporter(
            ProgressWriter(style: style(of: plan), suggestsFastCheckpoint: plan.options.checkpoint == .spread),
            console: console,
            columns: { StandardStreams.columns })
        do throws(UnderstudyError) {
            let remains = Remains.of(plan)
            _ = try await work(plan.connection, console: console, remains: remains) {
                source throws(UnderstudyError) in
                let backup = BaseBackup(source: source, options: plan.options, logger: console.logger)
                return try await backup.run(
                    into: plan.target, progress: reporter.report
                )
            }
            _ = reporter.end()
            return ExitStatus.success
        } catch {
            _ = reporter.end()
            console.error(error)
            return ExitStatus.of(error.code)
        }
    }

    private func style(of plan: BasebackupPlan) -> ProgressWriter.Style {
        guard plan.progress else { return .none }
        return errorsAreTerminal ? .terminal : .stock(announcesCheckpoint: !plan.verbose)
    }
}
