/// Makes archives as a server sends them.
struct TarBytes {
    private(set) var bytes: [UInt8] = []

    mutating func file(_ name: String, _ content: [UInt8], mode: Int = 0o600) {
        bytes += Self.header(name, type: "0", size: content.count, mode: mode)
        bytes += content
        bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    mutating func directory(_ name: String, mode: Int = 0o700) {
        bytes += Self.header("\(name)/", type: "5", mode: mode)
    }

    mutating func link(_ name: String, to target: String) {
        bytes += Self.header(name, type: "2", mode: 0o777, target: target)
    }

    private static func header(
        _ name: String, type: String, size: Int = 0, mode: Int, target: String = ""
    ) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        put(name, at: 0)
        put("\(octal(mode, 7)) 0000000 0000000 \(octal(size, 11)) 00000000000 ", at: 100)
        put("        ", at: 148)
        put(type, at: 156)
        put(target, at: 157)
        put("ustar\u{0}00", at: 257)
        put("\(octal(header.reduce(0) { $0 + Int($1) }, 6))\u{0} ", at: 148)
        return header
    }

    private static func octal(_ value: Int, _ digits: Int) -> String {
        let text = String(value, radix: 8)
        return String(repeating: "0", count: digits - text.utf8.count) + text
    }
}
