/// Numbers in a backup manifest.
enum ManifestNumber {
    /// - Parameter stock: What the stock tool says of something else, behind its words about parsing.
    static func value(
        _ text: [UInt8], of field: ManifestField, upTo limit: UInt64, _ dialect: ManifestDialect, stock: String
    ) throws(JSONLexer.Flaw) -> UInt64 {
        if dialect == .stock {
            guard let value = asStrtoul(text) else {
                throw .init(detail: detail(text, field), parsing: stock)
            }
            return value
        }
        let isPlain = text.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard isPlain, text.count == 1 || text.first != UInt8(ascii: "0"),
            let value = UInt64(String(decoding: text, as: UTF8.self)), value <= limit
        else { throw .init(detail: detail(text, field)) }
        return value
    }

    private static func detail(_ text: [UInt8], _ field: ManifestField) -> String {
        let text = MemberPath.escaped(text.prefix(40))
        return "The value of \"\(field.name)\" is \(text), which is not a whole number in its range."
    }

    /// As strtoul(3) reads it, to which -1 is the largest number. Nil if something follows.
    static func asStrtoul(_ text: [UInt8]) -> UInt64? {
        var rest = text.drop { $0 == UInt8(ascii: " ") || (9...13).contains($0) }
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
        guard !rest.isEmpty else { return text.isEmpty ? 0 : nil }
        var value: UInt64 = 0
        for byte in rest {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflows) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            if isTooLarge || overflows { return .max }
            value = sum
        }
        return isNegative ? 0 &- value : value
    }
}
