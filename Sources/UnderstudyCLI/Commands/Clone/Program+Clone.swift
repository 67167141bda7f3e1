import Understudy

extension Program {
    func clone(_ words: [String]) async -> Int32 {
        await run(.clone, as: .understudy, { () throws(UsageError) in try ClonePlan.read(words, users: users) }) {
            await clone($0)
        }
    }

    private func clone(_ plan: ClonePlan) async -> Int32 {
        let console = console(.understudy, verbose: plan.verbose)
        output?.startQueue()
        for warning in plan.warnings { console.warning(warning.message, hint: warning.hint) }
        let reporter = ProgressReporter(
            ProgressWriter(style: style(of: plan), suggestsFastCheckpoint: plan.options.backup.checkpoint == .spread),
            console: console, columns: { StandardStreams.columns })
        do throws(UnderstudyError) {
            // Before the copy: a shortage at the start would come hours later.
            if plan.options.start != nil { try StartResources.check() }
            let remains = Remains.copy(plan.directory, slot: plan.options.slot)
            let result = try await work(plan.connection, console: console, remains: remains) {
                source throws(UnderstudyError) in
                let clone = StandbyClone(source: source, options: plan.options, logger: console.logger)
                return try await clone.run(into: plan.directory, progress: reporter.report)
            }
            let last = reporter.end()
            let text =
                plan.progress == .json
                ? ProgressJSON.done(result, last: last).text : CloneReport.text(result, directory: plan.directory)
            console.output(text)
            return ExitStatus.success
        } catch {
            let last = reporter.end()
            if plan.progress == .json { console.output(ProgressJSON.failed(error, last: last).text) }
            console.error(error)
            return ExitStatus.of(error.code)
        }
    }

    private func style(of plan: ClonePlan) -> ProgressWriter.Style {
        switch plan.progress {
        case .auto: errorsAreTerminal ? .terminal : .plain(every: 10)
        case .none: .none
        case .plain: .plain(every: 1)
        case .json: .json
        }
    }
}
