import Logging
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Does the steps of a plan.
struct PreparationExecution {
    let run: PreparationRun
    let session: Session
    let facts: PreparationFacts
    private var sql: PreparationSQL { PreparationSQL(facts.version) }

    init(run: PreparationRun, session: Session, facts: PreparationFacts) {
        self.run = run
        self.session = session
        self.facts = facts
    }

    /// - Returns: For a file, the path of the old one, and what puts that back.
    func perform(_ step: PreparationPlan.Step) throws(UnderstudyError) -> (kept: String, undo: String)? {
        switch step.action {
        case .statement(let text):
            // It may have what the server keeps of a password.
            let silenced = step.shown.kind == .role ? silence() : []
            defer { for name in silenced { _ = try? session.runShielded("RESET \(name)") } }
            try perform(text)
        case .file(let change):
            let directory = try facts.files.lock(change.path)
            defer { directory.unlock() }
            let kept = try facts.files.replace(change.path, change.old, by: change.new)
            if change.isRules { try check(change, kept) }
            return (kept, "cp -p \(ShellText.pasted(kept)) \(ShellText.pasted(change.path))")
        case .reload: try reload()
        case .restart: break
        }
        return nil
    }

    /// Keeps what follows out of the server's log, as far as the role may do that.
    ///
    /// - Returns: The settings to be reset.
    private func silence() -> [String] {
        // From 15 on, others may have been granted it.
        guard facts.server.isSuperuser || facts.version.number >= 150_000 else { return [] }
        var names: [String] = []
        for (name, value) in sql.silence where (try? session.runShielded("SET \(name) = \(value)")) != nil {
            names.append(name)
        }
        return names
    }

    /// To its end, whatever happens here: it must be known whether it was done.
    private func perform(_ statement: String) throws(UnderstudyError) {
        do throws(ConnectionError) { _ = try session.runShielded(statement) } catch { throw UnderstudyError(error) }
    }

    /// Asks the server what it thinks of its pg_hba.conf, and puts the old one back if it would refuse the new one.
    private func check(_ change: PreparationPlan.FileChange, _ kept: String) throws(UnderstudyError) {
        guard let query = sql.ruleErrors, let error = (try? session.ask(query))?.first else { return }
        try facts.files.putBack(change.path, change.old, kept: kept)
        throw UnderstudyError(
            .configuration,
            "the server refuses line \(error.line) of file \"\(error.file ?? change.path)\": \(error.message)",
            detail: "The old file was put back.")
    }

    private func reload() throws(UnderstudyError) {
        let before = try session.ask(sql.loadTime)
        try perform(PreparationSQL.reload)
        let clock = ContinuousClock(), deadline = clock.now + .seconds(10)
        // The postmaster loads the files first, and then tells its processes.
        while try session.ask(sql.loadTime) == before {
            guard clock.now < deadline, !run.interrupt.isRaised else {
                run.logger.warning("the primary has not said within 10 s that it has loaded its configuration")
                return
            }
            session.pause(.milliseconds(20))
        }
    }

    /// The settings that wait for a restart, as the server says; nil before 9.5.
    func pendingSettings() throws(UnderstudyError) -> [String]? {
        guard let query = sql.pendingSettings else { return nil }
        return try session.ask(query)
    }
}
