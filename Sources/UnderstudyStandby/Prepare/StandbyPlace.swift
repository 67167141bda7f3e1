import UnderstudyConfiguration
import UnderstudyCore

/// Where a standby connects from.
enum StandbyPlace: Sendable, Hashable {
    case socket
    case network(HostNetwork)
    case name(String)

    init(_ text: String) throws(UnderstudyError) {
        if text.lowercased() == "local" {
            self = .socket
        } else if let network = HostNetwork(text) {
            self = .network(network)
        } else if Self.isHostName(text) {
            self = .name(text)
        } else {
            throw UnderstudyError(
                .options, "\"\(text)\" is no address of a standby",
                hint:
                    "Name an IP address (10.0.0.7, fd00::7), a network (10.0.0.0/24), a host name, or local for the socket."
            )
        }
    }

    /// A name that pg_hba.conf takes for one of a host, and resolvers may know.
    private static func isHostName(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count), !["all", "samehost", "samenet"].contains(text.lowercased()),
            // An address with a mistake in it is no name.
            text.utf8.contains(where: { ($0 | 0x20) >= UInt8(ascii: "a") && ($0 | 0x20) <= UInt8(ascii: "z") })
        else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }

    var client: HostQuestion.Client {
        switch self {
        case .socket: .socket
        case .network(let network): .network(network)
        case .name(let name): .name(name)
        }
    }

    /// The rule that lets it in.
    func line(role: String, method: String, hasTLS: Bool) -> String {
        let connection: HostRule.Connection = self == .socket ? .local : hasTLS ? .hostssl : .host
        return HostRule.line(connection, "replication", role, address, method)
    }

    /// As pg_hba.conf has it; nil for the socket.
    private var address: String? {
        switch self {
        case .socket: nil
        case .network(let network): network.text
        case .name(let name): name
        }
    }

    /// Whether it is on the primary's machine.
    var isLocal: Bool {
        switch self {
        case .socket: true
        case .network(let network): network.isLoopback
        case .name(let name): name == "localhost"
        }
    }
}
