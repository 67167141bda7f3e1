import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

/// Which lines pg_hba.conf lacks.
extension PreparationPlanner {
    /// - Parameter password: What the server will keep of the password, if that changes.
    func addRules(password: String?, to plan: inout PreparationPlan) throws(UnderstudyError) {
        guard !run.standbys.isEmpty else { return }
        let method = method(password)
        let lines = run.standbys.map { $0.line(role: run.roleWord, method: method, hasTLS: facts.hasTLS) }
        let path: String, rules: HostRules
        do throws(UnderstudyError) {
            (path, rules) = try facts.files.rules()
        } catch {
            addUnread(lines, error, to: &plan)
            return
        }
        try refuseFaults(rules, path)
        plan.ruleMethod = method
        let (changed, added) = try insert(rules, method)
        guard !added.isEmpty else { return }
        var byHand: [String] = []
        for (line, above) in added {
            byHand.append("in \"\(path)\" on the primary, \(above):")
            byHand.append(line)
        }
        let summary = "let \(run.standbys.count == 1 ? "the standby" : "standbys") in by \"\(path)\""
        let change = PreparationPlan.FileChange(
            path: path, old: rules.file.bytes, new: changed.file.bytes, isRules: true)
        plan.steps.append(try fileStep(.hostRules, change, summary, byHand))
    }

    /// Looks whether the file that is there now lets each standby in: another may have written it meanwhile.
    func checkRules(_ plan: PreparationPlan) throws(UnderstudyError) {
        guard let method = plan.ruleMethod else { return }
        let (path, rules) = try facts.files.rules()
        guard try insert(rules, method).1.isEmpty else {
            throw UnderstudyError(
                .configuration, "file \"\(path)\" was changed by another meanwhile, and does not let each standby in",
                hint: "Run this again: what is right already stays.")
        }
    }

    /// The method that fits what the server keeps of the password.
    private func method(_ password: String?) -> String {
        guard facts.version.number >= 100_000 else { return PasswordKind.md5.rawValue }
        // Where there is none yet, the run makes one.
        let kept = password ?? facts.verifier
        if let kept, let kind = PasswordKind(ofVerifier: kept) { return kind.rawValue }
        return facts.passwordIsKnown
            ? PasswordKind.scram.rawValue : ConfigurationFacts(serverVersion: facts.version.number).passwordMethod
    }

    /// Adds a rule for each standby that needs one.
    ///
    /// - Returns: The rules, and of each new one its line and where it stands.
    private func insert(
        _ rules: HostRules, _ method: String
    ) throws(UnderstudyError) -> (HostRules, [(line: String, place: String)]) {
        var rules = rules, added: [(String, String)] = []
        // The method md5 takes both kinds of verifiers, from 10 on.
        let methods: Set<String> = method == PasswordKind.md5.rawValue ? ["md5"] : [method, PasswordKind.md5.rawValue]
        let patterns = try patterns(rules)
        for place in run.standbys {
            var question = HostQuestion(
                place.client, hasTLS: facts.hasTLS && place != .socket, role: options.role,
                memberships: Set(facts.memberships),
                serverNetworks: facts.files.isHere ? networksOfThisMachine() : nil)
            question.patterns = patterns
            guard case .caught(let index) = rules.decide(question, methods: methods) else { continue }
            let line = place.line(role: run.roleWord, method: method, hasTLS: facts.hasTLS)
            let below = index.map { rules.file.lines[$0] }
            added.append(
                (line, below.map { "above line \($0.number) (\(Self.text($0)))" } ?? "at the end"))
            // Indices of included files would move.
            let included = rules.included
            rules.file.insert(line, above: index, version: rules.version)
            rules.included = [:]
            for (old, files) in included { rules.included[old < index ?? Int.max ? old : old + 1] = files }
            guard case .admitted = rules.decide(question, methods: methods) else {
                throw UnderstudyError(
                    .configuration, "the line \"\(line)\" would not let the standby in",
                    detail: "This is a fault of Understudy. Nothing was changed.", hint: "Report it, with pg_hba.conf.")
            }
        }
        return (rules, added)
    }

    private static func text(_ line: HostRulesFile.Line) -> String {
        let words = String(decoding: line.bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        return HiddenOptions.hide(words.joined(separator: " "))
    }

    /// What regular expressions mean, only the server knows.
    private func patterns(_ rules: HostRules) throws(UnderstudyError) -> [HostQuestion.Pattern: Bool] {
        let patterns = rules.rolePatterns.sorted()
        guard !patterns.isEmpty else { return [:] }
        let answers = try session.ask(sql.matches(options.role, patterns))
        var result: [HostQuestion.Pattern: Bool] = [:]
        for (pattern, answer) in zip(patterns, answers) {
            result[HostQuestion.Pattern(pattern, name: options.role)] = answer
        }
        return result
    }

    private func networksOfThisMachine() -> [HostNetwork] {
        networkAddresses().map { HostNetwork(address: $0.address, mask: $0.mask) }
    }

    /// A server does not load a file with an error, and says so in its log alone.
    private func refuseFaults(_ rules: HostRules, _ path: String) throws(UnderstudyError) {
        if let line = rules.lineWithZeroByte {
            throw UnderstudyError(
                .configuration,
                "file \"\(path)\" of the primary has a zero byte in line \(line), or in what that includes",
                detail: "Nothing was changed.",
                hint: "Take it out first: what the server reads of such a file depends on its version.")
        }
        let hint = "Mend the file first: the server loads none of it until then."
        if let query = sql.ruleErrors, let errors = try? session.ask(query) {
            guard let first = errors.first else { return }
            throw UnderstudyError(
                .configuration,
                "file \"\(first.file ?? path)\" of the primary has an error in line \(first.line): \(first.message)",
                detail: "Nothing was changed.", hint: hint)
        }
        guard let first = rules.faults.first else { return }
        throw UnderstudyError(
            .configuration, "file \"\(path)\" of the primary has an error in line \(first.line): \(first.message)",
            detail: "Nothing was changed.", hint: hint)
    }

    /// The file cannot be read: what it lacks is not known.
    private func addUnread(_ lines: [String], _ error: UnderstudyError, to plan: inout PreparationPlan) {
        let byHand = ["at the top of pg_hba.conf on the primary (SHOW hba_file; names it), unless it has them:"] + lines
        plan.steps.append(
            .init(
                action: .reload,
                shown: .init(
                    kind: .hostRules, summary: "let the standby in by pg_hba.conf",
                    text: byHand.joined(separator: "\n"),
                    obstacle: .place("pg_hba.conf of the primary cannot be read from here: \(error.message)"),
                    byHand: byHand)))
    }
}
