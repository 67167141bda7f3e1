/// The path and the query of a request's target.
///
/// Source: RFC 3986 and RFC 9112, section 3.2.
struct Query: Equatable {
    /// Without the query; not decoded. `/` where the target has none.
    var path: String
    private var parameters: [(name: String, value: String)] = []
    /// False if what stands behind a percent sign is no byte, or the bytes are no UTF-8.
    private(set) var isSound = true

    /// - Parameter target: `/path?name=value`, or the same with a scheme and a host before it.
    init(_ target: String) {
        var rest = Substring(target)
        if !rest.hasPrefix("/"), let scheme = rest.firstRange(of: "://") {
            rest = rest[scheme.upperBound...]
            rest = rest.firstIndex { $0 == "/" || $0 == "?" }.map { rest[$0...] } ?? "/"
        }
        rest = rest.prefix { $0 != "#" }
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts[0].isEmpty ? "/" : String(parts[0])
        guard parts.count == 2 else { return }
        for pair in parts[1].split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(sides[0]), let value = Self.decoded(sides.count == 2 ? sides[1] : "") else {
                isSound = false
                continue
            }
            parameters.append((name, value))
        }
    }

    subscript(name: String) -> String? { parameters.first { $0.name == name }?.value }

    static func == (one: Query, other: Query) -> Bool {
        one.path == other.path && one.parameters.map(\.name) == other.parameters.map(\.name)
            && one.parameters.map(\.value) == other.parameters.map(\.value)
    }

    /// Nil if what stands behind a percent sign is no byte, or the bytes are no UTF-8.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                let digits = rest.prefix(2)
                // A number may have a sign, a byte has none.
                guard digits.count == 2, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
                    let value = UInt8(String(Substring(digits)), radix: 16)
                else { return nil }
                bytes.append(value)
                rest = rest.dropFirst(2)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// A value that every part of a query may hold.
    static func encoded(_ value: String) -> String {
        var text = ""
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                text += "%" + (digits.count == 1 ? "0" : "") + digits
            }
        }
        return text
    }
}
