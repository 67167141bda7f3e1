import Understudy

extension Program {
    func configure(_ words: [String]) async -> Int32 {
        let request = { () throws(UsageError) in try ConfigurePlan.read(words, environment: environment) }
        return await run(.configure, words, as: .understudy, request) { await configure($0) }
    }

    private func configure(_ plan: ConfigurePlan) async -> Int32 {
        let console = console(.understudy, verbose: plan.verbose)
        do throws(UnderstudyError) {
            var options = plan.options
            if let connection = plan.connection {
                let password = connection.password == .always ? try await PasswordPrompt.ask() : nil
                options.primary = connection.source(password: password)
            }
            let directory = StandbyDirectory(plan.directory, logger: console.logger)
            let changes = try await directory.plan(options)
            if plan.isDryRun {
                if !changes.isEmpty { console.output(changes.difference) }
                console.notice(ConfigureText.dryRun(changes))
            } else {
                if !changes.isEmpty { try await directory.apply(changes) }
                console.output(ConfigureText.done(changes, directory: plan.directory))
            }
            return ExitStatus.success
        } catch {
            console.error(error)
            return ExitStatus.of(error.code)
        }
    }
}

/// What `configure` says at its end.
enum ConfigureText {
    static func dryRun(_ plan: StandbyDirectory.Plan) -> String {
        plan.isEmpty ? "there is nothing to change" : "nothing was changed"
    }

    static func done(_ plan: StandbyDirectory.Plan, directory: String) -> String {
        let place = PrintedText.line(directory)
        let what = plan.mode == .standby ? "a standby" : "set to recover"
        if plan.isEmpty { return "\"\(place)\" is \(what) already, with these settings: nothing was changed" }
        let lines = plan.changes.map { change in
            let verb = change.old == nil ? "made" : change.new == nil ? "removed" : "changed"
            return "\(verb) \"\(PrintedText.line(change.name))\""
        }
        return (lines + ["\"\(place)\" is \(what)"]).joined(separator: "\n")
    }
}
