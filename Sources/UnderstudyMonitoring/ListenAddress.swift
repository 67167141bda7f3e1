/// An address and a port to listen on.
public struct ListenAddress: Sendable, Hashable {
    /// An IPv4 or IPv6 address, or a name that stands for one. `0.0.0.0` and `::` are all of this machine's.
    public var host: String
    /// 0 for any that is free.
    public var port: Int

    /// Reached from this machine alone.
    public static let loopback = "127.0.0.1"

    public init(host: String = loopback, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `ADDRESS:PORT`, `:PORT` or `PORT`, the last two of which mean ``loopback``; an IPv6 address stands in brackets.
    /// Nil if it is none of these.
    public init?(_ text: String) {
        let address: Substring, digits: Substring
        if let colon = text.lastIndex(of: ":") {
            (address, digits) = (text[..<colon], text[text.index(after: colon)...])
        } else {
            (address, digits) = ("", Substring(text))
        }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(digits),
            port <= 65535
        else { return nil }
        self.port = port
        if address.isEmpty {
            host = Self.loopback
        } else if address.hasPrefix("["), address.hasSuffix("]"), address.contains(":") {
            host = String(address.dropFirst().dropLast())
        } else {
            guard address.utf8.allSatisfy(Self.isOfName) else { return nil }
            host = String(address)
        }
    }

    private static func isOfName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

extension ListenAddress: CustomStringConvertible {
    /// `127.0.0.1:9187`, `[::1]:9187`.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
