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
        let console = console(personality, verbose: plan.verbose)
        let reporter = ProgressReporter(
            ProgressWriter(style: style(of: plan), suggestsFastCheckpoint: plan.options.checkpoint == .spread),
            console: console,
            columns: { StandardStreams.columns })
        let words = personality == .understudy ? nil : StockWords(plan)
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
            if let words { words.tell(error, in: reporter.reached, to: console) } else { console.error(error) }
            return ExitStatus.of(error.code)
        }
    }

    private func style(of plan: BasebackupPlan) -> ProgressWriter.Style {
        guard plan.progress else { return .none }
        if errorsAreTerminal { return .terminal }
        return .stock(isVerbose: plan.verbose, directory: plan.target.shownDirectory)
    }
}

extension BaseBackup.Target {
    /// What the stock tool's progress puts before the names of files.
    fileprivate var shownDirectory: String {
        switch self {
        case .directory(let path), .tarFiles(let path): path.hasSuffix("/") ? path : path + "/"
        default: ""
        }
    }
}
