/// What makes or mends a role for replication.
package struct RoleStatement: Sendable, Equatable {
    package var role: String
    /// Whether there is none of that name.
    package var isNew: Bool
    /// Whether LOGIN has to be given.
    package var login: Bool
    package var replication: Bool
    /// Whether VALID UNTIL has passed.
    package var renews: Bool
    /// What the server keeps of the password; nil to leave it.
    package var verifier: String?

    package init(
        role: String, isNew: Bool, login: Bool, replication: Bool, renews: Bool = false, verifier: String? = nil
    ) {
        self.role = role
        self.isNew = isNew
        self.login = login
        self.replication = replication
        self.renews = renews
        self.verifier = verifier
    }

    package var isEmpty: Bool { !isNew && !login && !replication && !renews && verifier == nil }

    package var text: String { text(verifier) }

    /// With the beginning of the verifier alone.
    package var shownText: String {
        text(verifier.map { verifier in (["SCRAM-SHA-256$", "md5"].first { verifier.hasPrefix($0) } ?? "") + "..." })
    }

    /// Lines for psql, which makes the verifier itself.
    package var linesForPsql: [String] {
        let password = verifier == nil ? [] : ["\\password \(SQLText.identifier(role))"]
        var others = self
        others.verifier = nil
        return (others.isEmpty ? [] : [others.text(nil)]) + password
    }

    private func text(_ verifier: String?) -> String {
        var words = ["\(isNew ? "CREATE" : "ALTER") ROLE \(SQLText.identifier(role)) WITH"]
        if login { words.append("LOGIN") }
        if replication { words.append("REPLICATION") }
        if renews { words.append("VALID UNTIL 'infinity'") }
        if let verifier { words.append("PASSWORD \(SQLText.literal(verifier))") }
        return words.joined(separator: " ") + ";"
    }

    /// What takes it back, as far as that can be done; nil if it cannot.
    package var undo: String? {
        let name = SQLText.identifier(role)
        if isNew { return "DROP ROLE \(name);" }
        let words = (login ? ["NOLOGIN"] : []) + (replication ? ["NOREPLICATION"] : [])
        return words.isEmpty ? nil : "ALTER ROLE \(name) WITH \(words.joined(separator: " "));"
    }
}
