import Glibc

/// Where a standby will listen, as its configuration says.
struct StandbyPort: Sendable, Equatable {
    var port: Int
    /// listen_addresses: host names and addresses, separated by commas; `*` for all.
    var addresses: String

    static let valid = 1...65535
    /// The server's own defaults.
    static let defaultPort = 5432, defaultAddresses = "localhost"

    /// The first address on which a program of this machine listens already; nil if there is none.
    ///
    /// An address that this machine does not have is no obstacle here: the server leaves it out, or says so itself. No
    /// host name but `localhost` is looked up: the primary may have named it.
    func addressInUse() -> String? {
        for part in addresses.split(separator: ",") {
            let name = part.filter { $0 != " " }
            let isUsed =
                switch name {
                case "": false
                case "*": Self.isInUse(nil, port: port)
                case "localhost": Self.isInUse("127.0.0.1", port: port) || Self.isInUse("::1", port: port)
                default: Self.isInUse(name, port: port)
                }
            if isUsed { return ["*", "0.0.0.0", "::"].contains(name) ? "port \(port)" : "\(name), port \(port)" }
        }
        return nil
    }

    /// Whether bind(2) finds an address in use. With SO_REUSEADDR, as a server sets it, only a listening socket counts.
    private static func isInUse(_ name: String?, port: Int) -> Bool {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICHOST
        unsafe hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        // Fills `list`, which is freed below.
        guard unsafe getaddrinfo(name, "\(port)", &hints, &list) == 0 else { return false }
        defer { unsafe freeaddrinfo(list) }
        var next = unsafe list
        while let address = unsafe next {
            if unsafe isInUse(address.pointee) { return true }
            unsafe next = address.pointee.ai_next
        }
        return false
    }

    private static func isInUse(_ address: addrinfo) -> Bool {
        let place = unsafe socket(address.ai_family, address.ai_socktype | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard place >= 0 else { return false }
        defer { close(place) }
        var on: CInt = 1
        let size = socklen_t(MemoryLayout<CInt>.size)
        // Both read one CInt; without them the answer may be too careful.
        _ = unsafe setsockopt(place, SOL_SOCKET, SO_REUSEADDR, &on, size)
        if unsafe address.ai_family == AF_INET6 {
            _ = unsafe setsockopt(place, CInt(IPPROTO_IPV6), IPV6_V6ONLY, &on, size)
        }
        return unsafe bind(place, address.ai_addr, address.ai_addrlen) != 0 && errno == EADDRINUSE
    }
}
