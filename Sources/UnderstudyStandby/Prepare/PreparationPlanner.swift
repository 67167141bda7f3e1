import Glibc
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Plans what a primary lacks.
struct PreparationPlanner {
    let run: PreparationRun
    let session: Session
    let facts: PreparationFacts
    let sql: PreparationSQL
    var options: PrimaryPreparation.Options { run.options }

    init(_ run: PreparationRun, _ session: Session) throws(UnderstudyError) {
        self.run = run
        self.session = session
        facts = try PreparationFacts(session, role: run.options.role)
        sql = PreparationSQL(facts.version)
    }

    func plan() throws(UnderstudyError) -> PreparationPlan {
        var plan = PreparationPlan()
        let role = try roleStatement()
        plan.needsPassword = run.password == nil && facts.passwordIsKnown && facts.verifier == nil
        addRole(role, to: &plan)
        let wanted = try facts.wanted(options)
        try addSettings(wanted, to: &plan)
        try addRules(password: role.verifier, to: &plan)
        addReload(to: &plan)
        plan.restartSettings = wanted.changes.filter(\.needsRestart).map(\.name) + wanted.pending
        addRestart(to: &plan)
        let addresses = options.listenAddresses ?? facts.settings["listen_addresses"]?.value
        if let addresses, PrimarySettings.isLocalOnly(listenAddresses: addresses),
            run.standbys.contains(where: { !$0.isLocal })
        {
            let set = SettingText.alterSystem("listen_addresses", "*")
            plan.notes.append(
                "the primary listens on \(addresses.isEmpty ? "no address" : "\"\(addresses)\" alone"), which no standby elsewhere reaches: \(set) and a restart let it listen on all"
            )
        }
        return plan
    }

    // MARK: - The role

    private func roleStatement() throws(UnderstudyError) -> RoleStatement {
        let role = facts.role
        var statement = RoleStatement(
            role: options.role, isNew: role == nil, login: !(role?.mayLogIn ?? false),
            replication: !(role?.mayReplicate ?? false), renews: role?.hasExpired ?? false)
        guard let password = run.password else { return statement }
        do throws(ConnectionError) {
            if let verifier = facts.verifier,
                // From 10 on, MD5 gives way to SCRAM.
                facts.version.number < 100_000 || PasswordKind(ofVerifier: verifier) == .scram,
                try session.isVerifier(verifier, of: password, role: options.role)
            {
                return statement
            }
            let kind: PasswordKind = facts.version.number < 100_000 ? .md5 : .scram
            statement.verifier = try session.verifier(of: password, role: options.role, kind)
        } catch { throw UnderstudyError(error) }
        return statement
    }

    private func addRole(_ statement: RoleStatement, to plan: inout PreparationPlan) {
        var shown = statement
        // The run asks for it.
        if plan.needsPassword { shown.verifier = "" }
        guard !shown.isEmpty else { return }
        let name = "role \"\(options.role)\""
        var parts: [String] = []
        if statement.login { parts.append("LOGIN") }
        if statement.replication { parts.append("REPLICATION") }
        if shown.verifier != nil { parts.append("its password") }
        if statement.renews { parts.append("no end of its validity") }
        let gives = statement.replication || statement.isNew
        let hasRight = facts.server.mayCreateRoles && (!gives || facts.server.mayGiveReplication)
        let right = facts.version.number >= 160_000 ? "a superuser, or CREATEROLE and REPLICATION" : "a superuser"
        plan.steps.append(
            .init(
                action: .statement(statement.text),
                shown: .init(
                    kind: .role,
                    summary: statement.isNew
                        ? "create \(name)" : "give \(name) \(parts.joined(separator: ", "))",
                    text: shown.shownText, obstacle: hasRight ? nil : .right(right),
                    byHand: shown.linesForPsql, undo: statement.undo)))
    }

    // MARK: - Settings

    private func addSettings(_ wanted: PrimarySettings, to plan: inout PreparationPlan) throws(UnderstudyError) {
        guard !facts.editsFiles(options) else { return try addSettingsFile(wanted, to: &plan) }
        for change in wanted.changes {
            let text = SettingText.alterSystem(change.name, change.value)
            let configured = facts.configured[change.name]
            let undo = configured.flatMap { old in
                old.isOfAlterSystem ? SettingText.alterSystem(change.name, old.value) : nil
            }
            let hasRight = facts.settings[change.name]?.maySet ?? facts.server.isSuperuser
            let right = facts.version.number >= 150_000 ? "a superuser, or GRANT ALTER SYSTEM" : "a superuser"
            plan.steps.append(
                .init(
                    action: .statement(text),
                    shown: .init(
                        kind: .setting, summary: Self.summary(change), text: text,
                        obstacle: hasRight ? nil : .right(right), undo: undo ?? SettingText.reset(change.name)),
                    undoWhenDown: undoInFile(change)))
        }
    }

    /// What takes back an ALTER SYSTEM by hand.
    private func undoInFile(_ change: PrimarySettings.Change) -> String {
        let file = (facts.files.paths.dataDirectory.map { "\($0)/" } ?? "") + "postgresql.auto.conf"
        let line = ConfigurationText.setting(change.name, change.value)
        let old = facts.configured[change.name].flatMap { old in
            old.isOfAlterSystem ? ConfigurationText.setting(change.name, old.value) : nil
        }
        return "in \"\(file)\": " + (old.map { "instead of \(line) write \($0)" } ?? "remove the line \(line)")
    }

    private static func summary(_ change: PrimarySettings.Change) -> String {
        "set \(change.name) to \(change.value)" + (change.old.map { " (it is \($0))" } ?? "")
    }

    private func addSettingsFile(_ wanted: PrimarySettings, to plan: inout PreparationPlan) throws(UnderstudyError) {
        guard !wanted.changes.isEmpty else { return }
        for change in wanted.changes where facts.configured[change.name]?.isOfAlterSystem == true {
            throw UnderstudyError(
                .configuration,
                "\(change.name) stands in postgresql.auto.conf, which counts more than postgresql.conf",
                hint: "Take it out of there, on the primary: \(SettingText.reset(change.name))")
        }
        let summary = wanted.changes.map(Self.summary).joined(separator: ", ")
        var byHand = ["in postgresql.conf (SHOW config_file; names it):"]
        byHand += wanted.changes.map { ConfigurationText.setting($0.name, $0.value) }
        guard let path = facts.files.paths.configuration, let old = try? facts.files.read(path) else {
            plan.steps.append(
                .init(
                    action: .reload,
                    shown: .init(
                        kind: .settingsFile, summary: summary, text: byHand.joined(separator: "\n"),
                        obstacle: .place("postgresql.conf of the primary cannot be read from here"), byHand: byHand)))
            return
        }
        var file = ConfigurationDocument(old)
        for change in wanted.changes { file.setWhereItCounts(change.name, change.value) }
        byHand[0] = "in \"\(path)\" on the primary:"
        let change = PreparationPlan.FileChange(path: path, old: old, new: file.bytes, isRules: false)
        plan.steps.append(try fileStep(.settingsFile, change, summary, byHand))
    }

    /// The step that replaces a file, if that can be done here.
    func fileStep(
        _ kind: PrimaryPreparation.Step.Kind, _ change: PreparationPlan.FileChange, _ summary: String,
        _ byHand: [String]
    ) throws(UnderstudyError) -> PreparationPlan.Step {
        var obstacle: PrimaryPreparation.Obstacle?
        if !facts.files.isHere {
            obstacle = .place("file \"\(change.path)\" is on the primary's machine, and can only be read from here")
        } else if let reason = facts.files.obstacle(change.path) {
            throw UnderstudyError(
                .configuration, "could not \(summary): \(reason)", detail: "Nothing was changed.",
                hint: "Run this as the user to whom the file belongs, or as root, or write it yourself, "
                    + byHand.joined(separator: "\n"))
        }
        let difference = TextDifference.unified(
            old: change.old, new: change.new, name: change.path, showing: HiddenOptions.hide)
        return .init(
            action: .file(change),
            shown: .init(kind: kind, summary: summary, text: difference, obstacle: obstacle, byHand: byHand))
    }

    // MARK: - Reload and restart

    private func addReload(to plan: inout PreparationPlan) {
        let steps = plan.steps.filter { [.setting, .settingsFile, .hostRules].contains($0.shown.kind) }
        guard !steps.isEmpty else { return }
        var obstacle: PrimaryPreparation.Obstacle?
        if !facts.server.mayReload {
            obstacle = .right("a superuser, or GRANT EXECUTE ON FUNCTION pg_reload_conf()")
        } else if steps.allSatisfy({ $0.shown.obstacle != nil }) {
            obstacle = .place("the files have to be written first")
        }
        plan.steps.append(
            .init(
                action: .reload,
                shown: .init(
                    kind: .reload, summary: "reload the configuration", text: "\(PreparationSQL.reload);",
                    obstacle: obstacle)))
    }

    private func addRestart(to plan: inout PreparationPlan) {
        guard !plan.restartSettings.isEmpty else { return }
        do throws(UnderstudyError) {
            let restart = try PrimaryRestart(facts, options, settings: plan.restartSettings)
            plan.restartCommand = restart.command
            if let note = restart.note { plan.notes.append(note) }
            guard options.restart != nil else { return }
            plan.restart = restart
            plan.steps.append(.init(action: .restart, shown: restart.step))
        } catch {
            if options.restart != nil { plan.restartObstacle = error }
        }
    }
}
