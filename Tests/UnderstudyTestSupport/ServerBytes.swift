/// What a server sends, message by message.
///
/// Source: PostgreSQL manual, "Message Formats".
package struct ServerBytes: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package mutating func message(_ type: Character, _ body: [UInt8], length: UInt32? = nil) {
        bytes.append(type.asciiValue!)
        bytes += Self.integer(length ?? UInt32(body.count + 4))
        bytes += body
    }

    /// The end of a login, up to ReadyForQuery.
    package mutating func welcome(version: String) {
        message("R", Self.integer(UInt32(0)))
        for (name, value) in [
            ("server_version", version), ("server_encoding", "UTF8"), ("client_encoding", "UTF8"),
            ("integer_datetimes", "on"),
        ] { message("S", Self.string(name) + Self.string(value)) }
        message("K", Self.integer(UInt32(1234)) + Self.integer(UInt32(5678)))
        ready()
    }

    /// RowDescription and DataRows, all of them text.
    package mutating func rows(_ columns: Int, _ rows: [[String?]]) {
        var description = Self.integer(UInt16(columns))
        for column in 0..<columns {
            description += Self.string("c\(column)") + Self.integer(UInt32(0)) + Self.integer(UInt16(0))
            description += Self.integer(UInt32(25)) + Self.integer(UInt16.max) + Self.integer(UInt32.max)
            description += Self.integer(UInt16(0))
        }
        message("T", description)
        for row in rows {
            var data = Self.integer(UInt16(row.count))
            for field in row {
                guard let field else {
                    data += Self.integer(UInt32.max)
                    continue
                }
                data += Self.integer(UInt32(field.utf8.count)) + field.utf8
            }
            message("D", data)
        }
        complete("SELECT")
    }

    package mutating func complete(_ tag: String) { message("C", Self.string(tag)) }
    package mutating func ready() { message("Z", [UInt8(ascii: "I")]) }
    package mutating func copyOut() { message("H", [0, 0, 0]) }
    package mutating func copyBoth() { message("W", [0, 0, 0]) }
    package mutating func data(_ content: [UInt8]) { message("d", content) }
    package mutating func copyDone() { message("c", []) }

    package mutating func error(_ sqlState: String, _ text: String, severity: String = "ERROR") {
        message(
            "E",
            [("S", severity), ("V", severity), ("C", sqlState), ("M", text)].flatMap {
                Array($0.utf8) + Self.string($1)
            } + [0])
    }

    /// XLogData.
    package mutating func wal(at position: UInt64, _ content: [UInt8]) {
        data([UInt8(ascii: "w")] + Self.integer(position) + Self.integer(position) + Self.integer(UInt64(0)) + content)
    }

    /// Primary keepalive.
    package mutating func keepalive(at position: UInt64, asksForReply: Bool) {
        data([UInt8(ascii: "k")] + Self.integer(position) + Self.integer(UInt64(0)) + [asksForReply ? 1 : 0])
    }

    /// Pages of WAL, each with its header as the first page of a segment or another one has it.
    ///
    /// - Parameters:
    ///   - position: Where the first byte belongs: the start of a page.
    ///   - fill: What stands between the headers.
    package static func walPages(
        at position: UInt64, count: Int, timeline: UInt32 = 1, system: String = "7711123260964962612",
        segmentSize: UInt64 = 16 << 20, fill: UInt8 = 0x5A
    ) -> [UInt8] {
        func bytes(_ value: some FixedWidthInteger) -> [UInt8] { integer(value).reversed() }
        var pages: [UInt8] = []
        while pages.count < count {
            let address = position + UInt64(pages.count), isFirst = address % segmentSize == 0
            var page = bytes(UInt16(0xD116)) + bytes(UInt16(isFirst ? 2 : 0)) + bytes(timeline) + bytes(address)
            page += bytes(UInt64(0))
            if isFirst { page += bytes(UInt64(system) ?? 0) + bytes(UInt32(segmentSize)) + bytes(UInt32(8192)) }
            pages += page + [UInt8](repeating: fill, count: 8192 - page.count)
        }
        return Array(pages.prefix(count))
    }

    package mutating func raw(_ content: [UInt8]) { bytes += content }

    package static func string(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

    package static func integer(_ value: some FixedWidthInteger) -> [UInt8] {
        stride(from: value.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> $0) }
    }
}
