import Glibc

/// The addresses of this machine, each with its mask: 4 or 16 bytes. Empty if they cannot be had.
///
/// Source: getifaddrs(3).
package func networkAddresses() -> [(address: [UInt8], mask: [UInt8])] {
    var list: UnsafeMutablePointer<ifaddrs>?
    // Fills `list`, which is freed below.
    guard unsafe getifaddrs(&list) == 0 else { return [] }
    defer { unsafe freeifaddrs(list) }
    var addresses: [(address: [UInt8], mask: [UInt8])] = []
    var next = unsafe list
    while let entry = unsafe next {
        // Both point into the list, and are nil or an address of their family.
        if let address = unsafe bytes(entry.pointee.ifa_addr), let mask = unsafe bytes(entry.pointee.ifa_netmask),
            address.count == mask.count
        {
            addresses.append((address, mask))
        }
        unsafe next = entry.pointee.ifa_next
    }
    return addresses
}

@unsafe private func bytes(_ address: UnsafeMutablePointer<sockaddr>?) -> [UInt8]? {
    guard let address = unsafe address else { return nil }
    switch CInt(unsafe address.pointee.sa_family) {
    case AF_INET:
        // The family says which struct it is.
        return unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
            unsafe withUnsafeBytes(of: address.pointee.sin_addr) { unsafe Array($0) }
        }
    case AF_INET6:
        return unsafe address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
            unsafe withUnsafeBytes(of: address.pointee.sin6_addr) { unsafe Array($0) }
        }
    default: return nil
    }
}
