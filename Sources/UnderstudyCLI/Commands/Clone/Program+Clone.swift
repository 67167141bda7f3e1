import Understudy

extension Program {
    func clone(_ words: [String]) async -> Int32 {
        let request = { () throws(UsageError) in
            try ClonePlan.read(words, users: users, environment: environment)
        }
        return await run(.clone, words, as: .understudy, request) { await clone($0, words) }
    }

    private func clone(_ plan: ClonePlan, _ arguments: [String]) async -> Int32 {
        let console = console(.understudy, verbose: plan.verbose, writesObjects: plan.progress == .json)
        if plan.isDryRun {
            return await survey(plan.directory, plan.connection, console) { source, report throws(UnderstudyError) in
                try await StandbyClone(source: source, options: plan.options, logger: console.logger)
                    .survey(of: plan.directory, report: report)
            }
        }
        output?.startQueue(holdsObjects: console.writesObjects)
        for warning in plan.warnings { console.warning(warning.message, hint: warning.hint) }
        let reporter = ProgressReporter(
            ProgressWriter(
                style: style(plan.progress), suggestsFastCheckpoint: plan.options.backup.checkpoint == .spread),
            console: console, columns: { StandardStreams.columns })
        let failed = { @Sendable (error: UnderstudyError) in
            console.object(ProgressJSON.failed(error, last: reporter.end()))
        }
        do throws(UnderstudyError) {
            // Before the copy: a shortage at the start would come hours later.
            if plan.options.start != nil { try StartResources.check() }
            let remains = Remains.copy(plan.directory, slot: plan.options.slot)
            let result = try await work(plan.connection, console: console, remains: remains, abandoned: failed) {
                source throws(UnderstudyError) in
                let clone = StandbyClone(source: source, options: plan.options, logger: console.logger)
                return try await clone.run(into: plan.directory, progress: reporter.report)
            }
            let last = reporter.end()
            if plan.progress == .json {
                console.object(ProgressJSON.done(result, last: last))
            } else {
                console.output(CloneReport.text(result, directory: plan.directory))
            }
            return ExitStatus.success
        } catch {
            _ = reporter.end()
            console.error(error)
            console.tellHowToResume(error, .clone, arguments)
            failed(error)
            return ExitStatus.of(error.code)
        }
    }
}
