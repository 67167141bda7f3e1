import Understudy

extension Program {
    func basebackup(_ words: [String], as personality: Personality) async -> Int32 {
        await run(
            .basebackup, words, as: personality,
            { () throws(UsageError) in try BasebackupPlan.read(words, as: personality) }
        ) {
            await basebackup($0, words, as: personality)
        }
    }

    private func basebackup(_ plan: BasebackupPlan, _ arguments: [String], as personality: Personality) async -> Int32 {
        let console = console(
            personality, verbose: plan.verbose, writesObjects: plan.progress == .chosen(.json))
        if plan.isDryRun, case .directory(let directory) = plan.target {
            return await survey(directory, plan.connection, console) { source, report throws(UnderstudyError) in
                try await BaseBackup(source: source, options: plan.options, logger: console.logger)
                    .survey(of: directory, report: report)
            }
        }
        let reporter = ProgressReporter(
            ProgressWriter(style: style(of: plan), suggestsFastCheckpoint: plan.options.checkpoint == .spread),
            console: console,
            columns: { StandardStreams.columns })
        let words = personality == .understudy ? nil : StockWords(plan)
        let failed = { @Sendable (error: UnderstudyError) in
            console.object(ProgressJSON.failed(error, last: reporter.end()))
        }
        do throws(UnderstudyError) {
            let remains = Remains.of(plan)
            let result = try await work(plan.connection, console: console, remains: remains, abandoned: failed) {
                source throws(UnderstudyError) in
                let backup = BaseBackup(source: source, options: plan.options, logger: console.logger)
                return try await backup.run(
                    into: plan.target, progress: reporter.report
                )
            }
            console.object(ProgressJSON.done(result, target: plan.target.text, last: reporter.end()))
            return ExitStatus.success
        } catch {
            _ = reporter.end()
            if let words {
                words.tell(error, in: reporter.reached, to: console)
            } else {
                console.error(error)
                console.tellHowToResume(error, .basebackup, arguments)
            }
            failed(error)
            return ExitStatus.of(error.code)
        }
    }

    private func style(of plan: BasebackupPlan) -> ProgressWriter.Style {
        switch plan.progress {
        case .none: .none
        case .stock where canRewriteLines: .terminal
        case .stock: .stock(isVerbose: plan.verbose, directory: plan.target.shownDirectory)
        case .chosen(let choice): style(choice)
        }
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

    /// As the command line names it.
    fileprivate var text: String {
        switch self {
        case .directory(let path), .tarFiles(let path): path
        case .tarStream: "-"
        case .server(let name, let detail): detail.map { "\(name):\($0)" } ?? name
        }
    }
}
