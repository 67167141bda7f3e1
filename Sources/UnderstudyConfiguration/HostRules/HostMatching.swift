/// Whether a rule matches a connection.
package enum HostMatch: Int, Sendable, Comparable {
    case no
    /// It matches a part of what was asked about, or it depends on what is not known here.
    case maybe
    case yes

    package static func < (left: HostMatch, right: HostMatch) -> Bool { left.rawValue < right.rawValue }
}

/// A connection of which is asked what rule of pg_hba.conf it meets.
package struct HostQuestion: Sendable, Hashable {
    package enum Database: Sendable, Hashable {
        /// Physical replication.
        case replication
        case named(String)
    }

    /// Where the client is.
    package enum Client: Sendable, Hashable {
        case socket
        /// One address, or any of a network.
        case network(HostNetwork)
        /// A machine whose address is not known here.
        case name(String)
    }

    package var client: Client
    /// Whether the connection has TLS. It has no encryption by GSSAPI.
    package var hasTLS: Bool
    package var database: Database
    package var role: String
    /// The roles that it is a member of, itself among them.
    package var memberships: Set<String>
    /// The addresses of the server with their networks; nil if they are not known.
    package var serverNetworks: [HostNetwork]?
    /// Which regular expressions match the role or the database; those that are not here are not known.
    package var patterns: [Pattern: Bool] = [:]

    /// A regular expression, whose meaning only a server knows.
    package struct Pattern: Sendable, Hashable {
        package var pattern: String
        /// The name of the role or database.
        package var name: String

        package init(_ pattern: String, name: String) {
            self.pattern = pattern
            self.name = name
        }
    }

    package init(
        _ client: Client, hasTLS: Bool, database: Database = .replication, role: String,
        memberships: Set<String> = [], serverNetworks: [HostNetwork]? = nil
    ) {
        self.client = client
        self.hasTLS = hasTLS
        self.database = database
        self.role = role
        self.memberships = memberships.union([role])
        self.serverNetworks = serverNetworks
    }
}

extension HostRule {
    /// Whether the rule is the one for a connection, if none above it is.
    ///
    /// Source: `check_hba`, `check_db`, `check_role`, `check_ip`, `check_hostname`, hba.c.
    package func match(_ question: HostQuestion, version: Int) -> HostMatch {
        min(
            matchConnection(question), matchDatabase(question, version), matchRole(question, version),
            matchAddress(question))
    }

    private func matchConnection(_ question: HostQuestion) -> HostMatch {
        let isSocket = question.client == .socket
        switch connection {
        case .local: return isSocket ? .yes : .no
        case .host, .hostnogssenc: return isSocket ? .no : .yes
        case .hostssl: return !isSocket && question.hasTLS ? .yes : .no
        case .hostnossl: return !isSocket && !question.hasTLS ? .yes : .no
        case .hostgssenc: return .no
        }
    }

    private func matchDatabase(_ question: HostQuestion, _ version: Int) -> HostMatch {
        databases.map { token -> HostMatch in
            if token.isFile { return .maybe }
            guard case .named(let name) = question.database else { return token.isKeyword("replication") ? .yes : .no }
            if token.isKeyword("all") { return .yes }
            if token.isKeyword("replication") { return .no }
            if token.isKeyword("sameuser") { return question.role == name ? .yes : .no }
            if token.isKeyword("samerole") || token.isKeyword("samegroup") {
                return question.memberships.contains(name) ? .yes : .no
            }
            return question.match(token, name, version)
        }.max() ?? .no
    }

    private func matchRole(_ question: HostQuestion, _ version: Int) -> HostMatch {
        roles.map { token -> HostMatch in
            if token.isFile { return .maybe }
            if token.isKeyword("all") { return .yes }
            if let group = token.group { return question.memberships.contains(group) ? .yes : .no }
            return question.match(token, question.role, version)
        }.max() ?? .no
    }

    private func matchAddress(_ question: HostQuestion) -> HostMatch {
        switch (address, question.client) {
        case (nil, _), (_, .socket), (.all, _): .yes
        case (.network(let network), .network(let client)): network.match(client)
        case (.network(let network), .name): network.mask.allSatisfy { $0 == 0 } ? .yes : .maybe
        case (.name(let name), .name(let client)): Self.isName(client, name) ? .yes : .maybe
        case (.name, .network): .maybe
        case (.sameHost, .network(let client)):
            question.serverNetworks.map { networks in
                networks.compactMap { HostNetwork(address: $0.address)?.match(client) }.max() ?? .no
            } ?? .maybe
        case (.sameNetwork, .network(let client)):
            question.serverNetworks.map { networks in networks.map { $0.match(client) }.max() ?? .no } ?? .maybe
        case (.sameHost, .name), (.sameNetwork, .name): .maybe
        }
    }

    /// Whether a host's name is the one of a rule, or ends in it if that begins with a dot.
    private static func isName(_ name: String, _ rule: String) -> Bool {
        let name = name.lowercased(), rule = rule.lowercased()
        return rule.utf8.first == UInt8(ascii: ".") ? name.hasSuffix(rule) : name == rule
    }
}

extension HostQuestion {
    fileprivate func match(_ token: HostToken, _ name: String, _ version: Int) -> HostMatch {
        guard let pattern = token.pattern(version) else { return token.text == name ? .yes : .no }
        return patterns[Pattern(pattern, name: name)].map { $0 ? .yes : .no } ?? .maybe
    }
}
