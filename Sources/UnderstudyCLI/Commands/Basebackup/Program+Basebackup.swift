import Understudy

extension Program {
    func basebackup(_ words: [String], as personality: Personality) async -> Int32 {
        let plan: BasebackupPlan
        do throws(UsageError) {
            let quiet = Console(program: personality.program, verbose: false, write: write)
            switch try BasebackupPlan.read(words, as: personality) {
            case .help:
                quiet.output(BasebackupHelp.text(for: personality))
                return ExitStatus.success
            case .version:
                quiet.output(personality.baseBackupVersion)
                return ExitStatus.success
            case .backup(let backup):
                plan = backup
            }
        } catch {
            return fail(error, console: Console(program: personality.program, verbose: false, write: write))
        }
        let console = Console(program: personality.program, verbose: plan.verbose, write: write)
        let reporter = ProgressReporter(
            ProgressWriter(style: style(of: plan), pointsToFast: plan.options.checkpoint == .spread), console: console,
            columns: { StandardStreams.columns })
        do throws(UnderstudyError) {
            let remains = Remains.copy(plan.directory, slot: plan.options.slot)
            _ = try await work(plan.connection, console: console, remains: remains) {
                overrides throws(UnderstudyError) in
                var backup = BaseBackup(source: plan.connection.source, options: plan.options, logger: console.logger)
                backup.overrides = overrides
                return try await backup.run(into: .directory(plan.directory), progress: reporter.report)
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
