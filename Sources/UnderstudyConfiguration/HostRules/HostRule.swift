/// A rule of pg_hba.conf: who may connect from where, and how that is proved.
///
/// Source: `parse_hba_line`, hba.c, of PostgreSQL 9.3 to 19.
package struct HostRule: Sendable, Hashable {
    package enum Connection: String, Sendable, CaseIterable {
        case local, host, hostssl, hostnossl, hostgssenc, hostnogssenc
    }

    package enum Address: Sendable, Hashable {
        case all, sameHost, sameNetwork
        case network(HostNetwork)
        /// A host name, or with a dot in front the end of one.
        case name(String)
    }

    package var connection: Connection
    package var databases: [HostToken]
    package var roles: [HostToken]
    /// nil for `local`.
    package var address: Address?
    package var method: String
    /// `name=value` each.
    package var options: [HostToken] = []

    /// Why a line is not a rule.
    package struct Fault: Error, Hashable, Sendable {
        package var message: String
    }

    static let firstWithPatterns = 160_000
    static let firstWithIncludes = 160_000
    static let firstWithContinuation = 140_000

    /// - Parameter version: The server's, as `server_version_num`.
    init(_ fields: [[HostToken]], version: Int) throws(Fault) {
        var rest = fields[...]
        func next(_ what: String, isSingle: Bool = true) throws(Fault) -> [HostToken] {
            guard let field = rest.popFirst() else { throw Fault(message: "the line ends before its \(what)") }
            if isSingle && field.count > 1 { throw Fault(message: "it has several values for its \(what)") }
            return field
        }
        let word = try next("connection type")[0].text
        guard let connection = Connection(rawValue: word), version >= 120_000 || !word.contains("gssenc") else {
            throw Fault(message: "\"\(word)\" is no connection type")
        }
        self.connection = connection
        databases = try next("database", isSingle: false)
        roles = try next("role", isSingle: false)
        if connection != .local {
            let token = try next("address")[0]
            if token.isKeyword("all") {
                address = .all
            } else if token.isKeyword("samehost") {
                address = .sameHost
            } else if token.isKeyword("samenet") {
                address = .sameNetwork
            } else if let bytes = HostNetwork.address(token.text) {
                let text = try next("mask")[0].text
                guard let mask = HostNetwork.address(text), mask.count == bytes.count else {
                    throw Fault(message: "\"\(text)\" is no mask for address \"\(token.text)\"")
                }
                address = .network(HostNetwork(address: bytes, mask: mask))
            } else if token.text.contains("/") {
                guard let network = HostNetwork(token.text) else {
                    throw Fault(message: "\"\(token.text)\" is no address")
                }
                address = .network(network)
            } else {
                address = .name(token.text)
            }
        }
        let token = try next("method")[0]
        guard Self.isMethod(token.text, version) else {
            throw Fault(message: "\"\(token.text)\" is no authentication method of this version")
        }
        method = token.text
        options = rest.flatMap(\.self)
        if let option = options.first(where: { !$0.text.utf8.contains(UInt8(ascii: "=")) }) {
            throw Fault(message: "\"\(option.text)\" is no option: it has no equals sign")
        }
    }

    private static func isMethod(_ word: String, _ version: Int) -> Bool {
        switch word {
        case "krb5": version < 90_400
        case "scram-sha-256": version >= 100_000
        case "oauth": version >= 180_000
        default: methods.contains(word)
        }
    }

    private static let methods: Set<String> = [
        "trust", "reject", "md5", "password", "gss", "sspi", "ident", "peer", "pam", "bsd", "ldap", "cert", "radius",
    ]

    /// Whether it asks for a certificate beside what its method asks for.
    package var wantsCertificate: Bool {
        let asking = options.map(\.text).last { $0.hasPrefix("clientcert=") }
        return asking.map { !["clientcert=0", "clientcert=no-verify"].contains($0) } ?? false
    }

    /// The text of a rule for one database and one role, without its line end. All parts are as they stand in the file.
    package static func line(
        _ connection: Connection, _ database: String, _ role: String, _ address: String?, _ method: String
    ) -> String {
        [connection.rawValue, database, role, address, method].compactMap { $0 }.joined(separator: "  ")
    }
}
