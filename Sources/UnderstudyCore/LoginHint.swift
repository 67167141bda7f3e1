import Glibc
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyProtocol

/// What to write on the primary to be let in. The lines are made of what was checked to be what it claims to be, and quoted for
/// the place that they go to; anything else is a word to replace (USER, ADDRESS).
struct LoginHint: Equatable {
    /// The role that asked to be let in; nil where it is no name that can be written down.
    let user: String?
    /// The address from which the server sees the connection come; nil for one on its machine.
    let address: Address

    enum Address: Equatable {
        case socket
        case network(String, bits: Int)
        case unknown
    }

    /// - Parameters:
    ///   - text: The server's message, in its language. It names the address, then the user, in quotes.
    ///   - user: Whom this side asked for; nil to take the name that the server tells.
    init(_ text: String, user: String?) {
        let quoted = text.quotedParts
        self.user = (user ?? quoted.dropFirst().first).flatMap { Self.isName($0) ? $0 : nil }
        address = quoted.first.map(Self.address) ?? .unknown
    }

    /// The line of pg_hba.conf.
    var line: String {
        let user = user.flatMap(Self.hbaWord) ?? "USER"
        return switch address {
        case .socket: "local  replication  \(user)  scram-sha-256"
        case .network(let address, let bits): "host  replication  \(user)  \(address)/\(bits)  scram-sha-256"
        case .unknown: "host  replication  \(user)  ADDRESS  scram-sha-256"
        }
    }

    /// Said of an address that only the server tells: behind a gateway it is another one than here, and it may be false.
    ///
    /// - Parameter own: That of this side; nil where it is not known.
    func doubt(_ own: String?) -> String {
        guard case .network(let told, _) = address, let own, Self.address(own) != address else { return "" }
        return
            " It is the server that tells the address \(told); here the connection comes from \(own). Make sure that nobody else is let in."
    }

    /// The role as SQL names it.
    static func identifier(_ user: String?) -> String {
        user.flatMap { isName($0) ? SQLText.identifier($0) : nil } ?? "NAME"
    }

    /// Of text that can be seen, and no longer than servers keep (NAMEDATALEN).
    private static func isName(_ text: String) -> Bool {
        (1...KeptNames.usualLength).contains(text.utf8.count)
            && !text.unicodeScalars.contains { $0.isHidden || $0 == "\u{FFFD}" }
    }

    /// `[local]`, or an IP address, of which a link-local one may have its scope behind it. No other text is an address.
    private static func address(_ text: String) -> Address {
        if text == "[local]" { return .socket }
        let scope = text.unicodeScalars.firstIndex(of: "%") ?? text.endIndex
        let address = String(text[..<scope])
        var bytes = in6_addr()
        // A buffer that is large enough for either kind; the text ends with a NUL.
        if unsafe inet_pton(AF_INET6, address, &bytes) == 1 { return .network(address, bits: 128) }
        if scope == text.endIndex, unsafe inet_pton(AF_INET, address, &bytes) == 1 {
            return .network(address, bits: 32)
        }
        return .unknown
    }

    /// A name as pg_hba.conf has it, in quotes where it is not plain or would be a keyword; nil for one that it cannot hold,
    /// as what begins with a slash is a pattern with or without them (from 16).
    private static func hbaWord(_ name: String) -> String? {
        guard name.unicodeScalars.first != "/" else { return nil }
        let isPlain = name.unicodeScalars.allSatisfy { scalar in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", "_", "-", ".": true
            default: false
            }
        }
        return isPlain && !["all", "sameuser", "samerole", "samegroup", "replication"].contains(name)
            ? name : SQLText.quotedIdentifier(name)
    }
}

extension String {
    /// What stands between double quotes.
    var quotedParts: [String] {
        unicodeScalars.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
}
