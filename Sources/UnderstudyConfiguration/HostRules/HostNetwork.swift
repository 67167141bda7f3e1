/// An IP address and the bits of it that count, as pg_hba.conf has it.
package struct HostNetwork: Sendable, Hashable {
    /// 4 or 16 bytes.
    package let address: [UInt8]
    /// As many. Not every mask has its ones in front.
    package let mask: [UInt8]

    package init(address: [UInt8], mask: [UInt8]) {
        self.address = address
        self.mask = mask
    }

    /// - Parameter bits: How many bits count; nil for all.
    package init?(address: [UInt8], bits: Int? = nil) {
        let bits = bits ?? address.count * 8
        guard (0...address.count * 8).contains(bits) else { return nil }
        self.address = address
        mask = address.indices.map { index in
            let left = min(8, max(0, bits - 8 * index))
            return left == 0 ? 0 : UInt8(truncatingIfNeeded: 0xFF << (8 - left))
        }
    }

    /// Reads `10.0.0.1`, `10.0.0.0/24`, `fd00::1` or `fd00::/8`; nil for any other text.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = Self.address(parts[0]) else { return nil }
        guard parts.count == 2 else {
            self.init(address: address)
            return
        }
        guard let bits = Self.number(parts[1], most: 128) else { return nil }
        self.init(address: address, bits: bits)
    }

    /// Whether it is one address.
    package var isHost: Bool { mask.allSatisfy { $0 == 0xFF } }

    /// Whether it is an address of the machine itself, or a network of such.
    package var isLoopback: Bool {
        if address.count == 4 { return address[0] == 127 && mask[0] == 0xFF }
        return isHost && address.dropLast().allSatisfy { $0 == 0 } && address.last == 1
    }

    /// How many of the addresses of another network are in this one: all, some or none.
    func match(_ other: HostNetwork) -> HostMatch {
        guard address.count == other.address.count else { return .no }
        var isCovered = true
        for index in address.indices {
            let common = mask[index] & other.mask[index]
            if (address[index] ^ other.address[index]) & common != 0 { return .no }
            if mask[index] & ~other.mask[index] != 0 { isCovered = false }
        }
        return isCovered ? .yes : .maybe
    }

    /// `10.0.0.1/32`, `fd00::/8`; with a mask that is not made of leading ones, both with a blank between them.
    package var text: String {
        let bits = mask.reduce(0) { $0 + $1.nonzeroBitCount }
        guard HostNetwork(address: address, bits: bits)?.mask == mask else {
            return "\(Self.text(address)) \(Self.text(mask))"
        }
        return "\(Self.text(address))/\(bits)"
    }

    // MARK: - Addresses

    /// Reads an address in digits. IPv6 as RFC 4291 has it.
    static func address(_ text: some StringProtocol) -> [UInt8]? {
        text.utf8.contains(UInt8(ascii: ":")) ? addressOf16Bytes(String(text)) : addressOf4Bytes(String(text))
    }

    private static func addressOf4Bytes(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        let bytes = parts.compactMap { part in number(part, most: 255).map { UInt8($0) } }
        return bytes.count == 4 ? bytes : nil
    }

    private static func addressOf16Bytes(_ text: String) -> [UInt8]? {
        guard let gap = text.firstRange(of: "::") else {
            guard let bytes = groups(text[...]), bytes.count == 16 else { return nil }
            return bytes
        }
        guard let front = groups(text[..<gap.lowerBound]), let back = groups(text[gap.upperBound...]),
            front.count + back.count <= 14
        else { return nil }
        return front + Array(repeating: 0, count: 16 - front.count - back.count) + back
    }

    /// Groups of four digits with colons between them, of which the last two may be an IPv4 address.
    private static func groups(_ text: Substring) -> [UInt8]? {
        if text.isEmpty { return [] }
        var bytes: [UInt8] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains("."), let last = addressOf4Bytes(String(part)) {
                bytes += last
                continue
            }
            guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy(isHexDigit),
                let group = UInt16(part, radix: 16)
            else { return nil }
            bytes += [UInt8(group >> 8), UInt8(truncatingIfNeeded: group)]
        }
        return bytes
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }

    private static func number(_ text: some StringProtocol, most: Int) -> Int? {
        guard (1...3).contains(text.utf8.count),
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let number = Int(text),
            number <= most
        else { return nil }
        // 010 is 8 for some readers.
        return text.utf8.count > 1 && text.utf8.first == UInt8(ascii: "0") ? nil : number
    }

    private static func text(_ bytes: [UInt8]) -> String {
        if bytes.count == 4 { return bytes.map { "\($0)" }.joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { Int(bytes[$0]) << 8 | Int(bytes[$0 + 1]) }
        var best = 0..<0, start = 0
        for index in 0...groups.count {
            if index < groups.count, groups[index] == 0 { continue }
            if index - start > max(1, best.count) { best = start..<index }
            start = index + 1
        }
        func hex(_ part: some Sequence<Int>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        if best.isEmpty { return hex(groups) }
        return "\(hex(groups[..<best.lowerBound]))::\(hex(groups[best.upperBound...]))"
    }
}
