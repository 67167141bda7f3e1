/// All rules of a server, in the order in which it asks them: those of pg_hba.conf, and of the files that it includes.
package struct HostRules: Sendable, Hashable {
    package var file: HostRulesFile
    /// The included files, by the index of the line that includes them; none for what is not known.
    package var included: [Int: [HostRules]] = [:]
    package var version: Int

    package init(_ file: HostRulesFile, version: Int) {
        self.file = file
        self.version = version
    }

    /// What the rules do to a connection.
    package enum Decision: Sendable, Hashable {
        /// The first rule that matches asks for one of the methods that are wanted: the number of its line.
        case admitted(line: Int)
        /// A rule that asks for another method, or refuses, matches first, or may do so: the index of its line. nil if no
        /// rule matches.
        case caught(index: Int?)
    }

    /// - Parameter methods: Those that let the connection in as wanted.
    package func decide(_ question: HostQuestion, methods: Set<String>) -> Decision {
        for (index, line) in file.lines.enumerated() {
            switch line.content {
            case .nothing, .fault: continue
            case .rule(let rule):
                let isWanted = methods.contains(rule.method) && !rule.wantsCertificate
                switch rule.match(question, version: version) {
                case .no: continue
                case .yes: return isWanted ? .admitted(line: line.number) : .caught(index: index)
                // Whether this rule matches or another one further below, the method is right.
                case .maybe: if !isWanted { return .caught(index: index) }
                }
            case .include:
                guard let files = included[index] else { return .caught(index: index) }
                for rules in files {
                    switch rules.decide(question, methods: methods) {
                    case .admitted: return .admitted(line: line.number)
                    case .caught(.some): return .caught(index: index)
                    case .caught(nil): continue
                    }
                }
            }
        }
        return .caught(index: nil)
    }

    /// The rule at an index of the file; nil if there is none.
    package func rule(at index: Int) -> HostRule? {
        guard case .rule(let rule) = file.lines[index].content else { return nil }
        return rule
    }

    /// The lines for which the server refuses the files, in their order.
    package var faults: [(line: Int, message: String)] {
        file.lines.enumerated().flatMap { index, line -> [(Int, String)] in
            switch line.content {
            case .fault(let message): [(line.number, message)]
            case .include: (included[index] ?? []).flatMap(\.faults).map { (line.number, "in its file, \($0.message)") }
            case .nothing, .rule: []
            }
        }
    }

    /// The first line with a zero byte, in this file or one that it includes; nil if there is none. Servers do not agree on
    /// what they read of such a line.
    package var lineWithZeroByte: Int? {
        file.lines.enumerated().first { index, line in
            line.bytes.contains(0) || (included[index] ?? []).contains { $0.lineWithZeroByte != nil }
        }?.element.number
    }

    /// The regular expressions that stand for roles.
    package var rolePatterns: Set<String> {
        var patterns: Set<String> = []
        for (index, line) in file.lines.enumerated() {
            if case .rule(let rule) = line.content {
                patterns.formUnion(rule.roles.compactMap { $0.pattern(version) })
            }
            for rules in included[index] ?? [] { patterns.formUnion(rules.rolePatterns) }
        }
        return patterns
    }
}
