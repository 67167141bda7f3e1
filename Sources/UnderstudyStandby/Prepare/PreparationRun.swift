import Logging
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// One preparation: looks, plans, and does it.
final class PreparationRun: Sendable {
    let options: PrimaryPreparation.Options
    let password: String?
    let logger: Logger
    let interrupt = Interrupt()
    private let parameters: ConnectionParameters
    /// The role as pg_hba.conf has it.
    let roleWord: String
    let standbys: [StandbyPlace]
    /// The steps that were done, in order, and the words that take back what only the doing tells.
    let done = Monitor<[Done]>([])

    struct Done: Sendable {
        var kind: PrimaryPreparation.Step.Kind
        var summary: String
        var undo: String?
        /// The same where the server is down.
        var undoWhenDown: String?
    }

    init(_ preparation: PrimaryPreparation) throws(UnderstudyError) {
        options = preparation.options
        password = preparation.password
        logger = preparation.logger
        parameters = try ConnectionParameters(reading: preparation.source)
        roleWord = try Self.checkRole(options.role)
        var places: [StandbyPlace] = []
        for text in options.standbys {
            let place = try StandbyPlace(text)
            if !places.contains(place) { places.append(place) }
        }
        standbys = places
        if let addresses = options.listenAddresses { try Self.checkAddresses(addresses) }
        if let password {
            guard !password.isEmpty, !password.utf8.contains(0) else {
                throw UnderstudyError(
                    .options, "the password for role \"\(options.role)\" is empty or has a zero byte",
                    hint: "Give one that a client can send.")
            }
        }
    }

    private static func checkRole(_ name: String) throws(UnderstudyError) -> String {
        let length = name.utf8.count
        if length > NameLimits.usualLength {
            throw UnderstudyError(
                .options, "role name \"\(name)\" is too long: it has \(length) bytes",
                hint: "Choose a name of at most \(NameLimits.usualLength) bytes: the server would cut it.")
        }
        guard let word = HostToken.word(name), !name.unicodeScalars.contains(where: \.isHidden) else {
            throw UnderstudyError(
                .options, "\"\(name)\" is no role name that pg_hba.conf could hold",
                hint: "Choose a name of visible characters that does not begin with a slash.")
        }
        return word
    }

    private static func checkAddresses(_ text: String) throws(UnderstudyError) {
        let isNothing = text.allSatisfy { $0 == " " || $0 == "," }
        guard !isNothing, !text.unicodeScalars.contains(where: { $0.isHidden || $0 == "\\" || $0 == "'" }) else {
            throw UnderstudyError(
                .options, "\"\(text)\" is no list of addresses to listen on",
                hint: "Name addresses with commas between them, or * for all.")
        }
    }

    // MARK: - Connection

    func connect() throws(UnderstudyError) -> Session {
        do throws(ConnectionError) {
            return try OrdinaryConnection.open(parameters, interrupt)
        } catch {
            if error.code == .refused { throw UnderstudyError(refused: error, database: database) }
            var failure = UnderstudyError(error)
            if error.code == .passwordNeeded {
                failure.hint = "Put the password into the connection string, into PGPASSWORD, or into ~/.pgpass."
            }
            throw failure
        }
    }

    private var database: String { OrdinaryConnection.database(parameters) }

    func makePlan() throws(UnderstudyError) -> PreparationPlan {
        let session = try connect()
        return try PreparationPlanner(self, session).plan()
    }

    // MARK: - Carrying out

    /// - Returns: What was done, and the restart that is still to be done, if there is one.
    func carryOut(
        _ report: (PrimaryPreparation.Step) -> Void
    ) throws(UnderstudyError) -> (PrimaryPreparation.Result, PrimaryRestart?) {
        let session = try connect()
        // What another run has done counts in the plan.
        try lock(session)
        let planner = try PreparationPlanner(self, session)
        let plan = try planner.plan()
        try refuseWithoutRights(plan, planner.facts)
        if plan.shown.needsPassword {
            throw UnderstudyError(
                .options, "role \"\(options.role)\" has no password, and none is given",
                detail: "Nothing was changed.", hint: "Give the role a password: without one it cannot log in.")
        }
        if let obstacle = plan.restartObstacle { throw obstacle }
        var result = PrimaryPreparation.Result(plan: plan.shown, restartSettings: plan.shown.restartSettings)
        let execution = PreparationExecution(run: self, session: session, facts: planner.facts)
        for step in plan.steps where step.shown.obstacle == nil && step.shown.kind != .restart {
            do throws(UnderstudyError) {
                if interrupt.isRaised { throw UnderstudyError(.cancelled, "the preparation was cancelled") }
                let kept = try execution.perform(step)
                if let kept { result.keptFiles.append(kept.kept) }
                let undo = kept?.undo ?? step.shown.undo
                let undoWhenDown = kept?.undo ?? step.undoWhenDown
                done.update {
                    $0.append(
                        Done(
                            kind: step.shown.kind, summary: step.shown.summary, undo: undo, undoWhenDown: undoWhenDown))
                }
            } catch { throw explained(error, at: step.shown) }
            report(step.shown)
        }
        if let step = plan.steps.first(where: { $0.shown.kind == .hostRules && $0.shown.obstacle == nil }) {
            do throws(UnderstudyError) { try planner.checkRules(plan) } catch {
                throw explained(error, at: step.shown, isDone: true)
            }
        }
        if let pending = try execution.pendingSettings() { result.restartSettings = pending }
        return (result, plan.restart)
    }

    private func lock(_ session: Session) throws(UnderstudyError) {
        // What is too old is refused later.
        guard session.serverVersion >= .oldestSupported else { return }
        do throws(ConnectionError) { _ = try session.run(PreparationSQL.lock) } catch {
            if error.sqlState == "55P03" {
                throw UnderstudyError(
                    .server, "another run prepares the primary", detail: "Nothing was changed.",
                    hint: "Wait for its end, and run this again.")
            }
            // Where the role may not lock, there is the lock of the file.
            guard error.code == .server else { throw UnderstudyError(error) }
        }
    }

    /// Nothing is done where the role may not do all of it.
    private func refuseWithoutRights(_ plan: PreparationPlan, _ facts: PreparationFacts) throws(UnderstudyError) {
        let missing = plan.shown.steps.compactMap { step -> String? in
            guard case .right(let right) = step.obstacle else { return nil }
            return "To \(step.summary) takes \(right)."
        }
        guard !missing.isEmpty else { return }
        let lines = plan.shown.steps.flatMap(\.byHand)
        throw UnderstudyError(
            .options, "role \"\(facts.server.role)\" may not prepare the primary",
            detail: "\(missing.joined(separator: "\n"))\nNothing was changed.",
            hint: "Connect as a superuser, or let an administrator do this on the primary:\n"
                + lines.joined(separator: "\n"))
    }

    /// Looks whether a restart has brought everything into effect.
    ///
    /// - Returns: The settings that still wait for one.
    func checkRestarted() throws(UnderstudyError) -> [String] {
        let session = try connect()
        let facts = try PreparationFacts(session, role: options.role)
        let wanted = try facts.wanted(options)
        let low = wanted.changes.map(\.name) + wanted.pending
        guard low.isEmpty else {
            throw UnderstudyError(
                .configuration,
                "after its restart the primary still has other values of \(low.joined(separator: ", "))",
                hint:
                    "Something else sets them: on the primary, SELECT name, setting, source, sourcefile FROM pg_settings; tells what."
            )
        }
        guard let pending = PreparationSQL(facts.version).pendingSettings else { return [] }
        return try session.ask(pending)
    }

    /// An error with what was done before it.
    ///
    /// - Parameter isDown: Whether the server may be down, and take no SQL.
    func explained(
        _ error: UnderstudyError, at step: PrimaryPreparation.Step, isDone: Bool = false, isDown: Bool = false
    ) -> UnderstudyError {
        var error = error
        if error.code != .cancelled, !isDone { error.message = "could not \(step.summary): \(error.message)" }
        let done = done.read { $0 }
        var details = [error.detail].compactMap { $0 }
        details.append(
            !done.isEmpty
                ? "Done before: \(done.map(\.summary).joined(separator: "; "))."
                : isDown ? "This run has set nothing." : "Nothing was changed.")
        error.detail = details.joined(separator: "\n")
        if error.remedy == nil { error.hint = "Mend that, and run this again: what is right already stays." }
        var undo = done.reversed().compactMap { isDown ? $0.undoWhenDown : $0.undo }
        if !isDown, done.contains(where: { $0.kind == .reload }) { undo.append("\(PreparationSQL.reload);") }
        if !undo.isEmpty {
            let place = isDown ? "on the primary's machine, if the server does not start" : "on the primary"
            let back = Remedy("To take back what was done, \(place):\n\(undo.joined(separator: "\n"))")
            error.remedy = error.remedy.map { $0 + "\n" + back } ?? back
        }
        return error
    }
}
