/// Makes archives, sound ones and others, field by field.
package enum TarBuilder {
    /// Fields replace what a sound header would hold; the checksum is made last, unless it is one of them.
    package enum Field {
        case name([UInt8])
        case prefix(String)
        case mode(String)
        case size([UInt8])
        case modified(String)
        case type(Character)
        case link(String)
        case magic(String)
        case checksum(String)
    }

    package static func header(_ name: String, size: Int = 0, _ fields: Field...) -> [UInt8] {
        header(name, size: size, fields: fields)
    }

    package static func header(_ name: String, size: Int = 0, fields: [Field]) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ value: some Collection<UInt8>, at offset: Int) {
            header.replaceSubrange(offset..<offset + value.count, with: value)
        }
        put(name.utf8, at: 0)
        put("0000600 0001750 0001750 ".utf8, at: 100)
        put("\(octal(size, digits: 11)) 15300664701 ".utf8, at: 124)
        put("0".utf8, at: 156)
        put("ustar\0".utf8, at: 257)
        put("00".utf8, at: 263)
        var checksum: String?
        for field in fields {
            switch field {
            case .name(let name): put(name, at: 0)
            case .prefix(let prefix): put(prefix.utf8, at: 345)
            case .mode(let mode): put(mode.utf8, at: 100)
            case .size(let size): put(size, at: 124)
            case .modified(let time): put(time.utf8, at: 136)
            case .type(let type): put(type.utf8, at: 156)
            case .link(let target): put(target.utf8, at: 157)
            case .magic(let magic): put(magic.utf8, at: 257)
            case .checksum(let text): checksum = text
            }
        }
        put("        ".utf8, at: 148)
        let sum = header.reduce(0) { $0 + Int($1) }
        put((checksum ?? "\(octal(sum, digits: 6))\0 ").utf8, at: 148)
        return header
    }

    package static func file(_ name: String, _ content: [UInt8]) -> [UInt8] {
        let padding = (512 - content.count % 512) % 512
        return header(name, size: content.count) + content + zeros(padding)
    }

    package static func zeros(_ count: Int) -> [UInt8] {
        [UInt8](repeating: 0, count: count)
    }

    private static func octal(_ value: Int, digits: Int) -> String {
        let text = String(value, radix: 8)
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }
}
