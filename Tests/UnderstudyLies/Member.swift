import UnderstudyTestSupport

/// A member of an archive, field by field.
struct Member: Sendable {
    var name: [UInt8]
    var content: [UInt8] = []
    var type: Character = "0"
    var mode = "0000600 "
    var link = ""
    /// In place of the content's size.
    var size: [UInt8]?
    /// In place of the right checksum.
    var checksum: String?

    static func file(_ name: String, _ content: [UInt8]) -> Member { Member(name: Array(name.utf8), content: content) }

    static func directory(_ name: String) -> Member {
        Member(name: Array(name.utf8), type: "5", mode: "0000700 ")
    }

    static func link(_ name: String, to target: String) -> Member {
        Member(name: Array(name.utf8), type: "2", link: target)
    }

    var path: String {
        let text = String(decoding: name, as: UTF8.self)
        return text.hasSuffix("/") ? String(text.dropLast()) : text
    }

    var bytes: [UInt8] {
        let padding = (512 - content.count % 512) % 512
        // A size has eleven digits, or twelve bytes of its own.
        let digits = String(content.count, radix: 8)
        let size = size ?? Array((String(repeating: "0", count: 11 - digits.utf8.count) + digits + " ").utf8)
        let fields: [TarBuilder.Field] = [
            .name(Array(name.prefix(100))), .mode(mode), .type(type), .link(String(link.prefix(100))),
            .size(Array(size.prefix(12))),
        ]
        return TarBuilder.header("", fields: fields + (checksum.map { [.checksum($0)] } ?? [])) + content
            + TarBuilder.zeros(padding)
    }
}
