import Glibc
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyProtocol

/// Advice for a refused login: what to write on the primary. Names and addresses are checked, and quoted for the place
/// they go to; anything that fails the check becomes a placeholder (USER, ADDRESS).
package struct LoginHint: Equatable {
    /// The role that tried to log in; nil if its name cannot be written down.
    let user: String?
    /// The client's address as the server sees it; `socket` for a connection on the server's machine.
    let address: Address
    /// The method for pg_hba.conf. The version is not known before the login, but by the server's words. Up to 13 a
    /// password may be stored in both ways, and `md5` accepts both; from 14 on they are SCRAM's, unless they are older.
    let method: String

    enum Address: Equatable {
        case socket
        case network(String, bits: Int)
        case unknown
    }

    /// - Parameters:
    ///   - text: The server's message, in its language. It quotes the address first, then the user.
    ///   - user: The role that we asked for; nil to take the name from the message.
    init(_ text: String, user: String?) {
        let quoted = text.quotedParts
        self.user = (user ?? quoted.dropFirst().first).flatMap { Self.isName($0) ? $0 : nil }
        address = quoted.first.map(Self.address) ?? .unknown
        method = KnownText.hostRulesFrom14.stands(in: text) ? "scram-sha-256" : "md5"
    }

    /// The line to add to pg_hba.conf.
    ///
    /// - Parameter database: For an ordinary connection; nil for one of replication.
    func line(for database: String? = nil) -> String {
        let user = user.flatMap { HostToken.word($0) } ?? "USER"
        let database = database.map { HostToken.word($0) ?? "DATABASE" } ?? "replication"
        return switch address {
        case .socket: HostRule.line(.local, database, user, nil, method)
        case .network(let address, let bits): HostRule.line(.host, database, user, "\(address)/\(bits)", method)
        case .unknown: HostRule.line(.host, database, user, "ADDRESS", method)
        }
    }

    /// What to do about a password that another method needs; empty if there is none.
    var oldPassword: String {
        method == "md5"
            ? "" : " If the password of the role was set with password_encryption = md5, set it again, or write md5."
    }

    /// A warning if the address that the server names is not our own; empty if there is nothing to warn about. A
    /// gateway changes the address, and the server may name a false one.
    ///
    /// - Parameter own: Our own address; nil if it is not known.
    func doubt(_ own: String?) -> String {
        guard case .network(let told, _) = address, let own, Self.address(own) != address else { return "" }
        return
            " It is the server that tells the address \(told); here the connection comes from \(own). Make sure that nobody else is let in."
    }

    /// The role as an SQL identifier, or NAME if it cannot be written down.
    package static func identifier(_ user: String?) -> String {
        user.flatMap { isName($0) ? SQLText.identifier($0) : nil } ?? "NAME"
    }

    /// What lets a role replicate.
    package static func allowReplication(_ user: String?) -> String {
        "Give the role the right on the primary: ALTER ROLE \(identifier(user)) WITH REPLICATION;"
    }

    /// Whether this can be a role name: visible text, no longer than servers keep (NAMEDATALEN).
    private static func isName(_ text: String) -> Bool {
        (1...NameLimits.usualLength).contains(text.utf8.count)
            && !text.unicodeScalars.contains { $0.isHidden || $0 == "\u{FFFD}" }
    }

    /// Parses `[local]` or an IP address; a link-local IPv6 address may end with its scope. Any other text is unknown.
    private static func address(_ text: String) -> Address {
        if text == "[local]" { return .socket }
        let scope = text.unicodeScalars.firstIndex(of: "%") ?? text.endIndex
        let address = String(text[..<scope])
        var bytes = in6_addr()
        // The buffer is large enough for either address family, and the text is NUL-terminated.
        if unsafe inet_pton(AF_INET6, address, &bytes) == 1 { return .network(address, bits: 128) }
        if scope == text.endIndex, unsafe inet_pton(AF_INET, address, &bytes) == 1 {
            return .network(address, bits: 32)
        }
        return .unknown
    }
}

extension String {
    /// The parts between double quotes.
    var quotedParts: [String] {
        unicodeScalars.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
}
