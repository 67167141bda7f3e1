package import UnderstudyPlatform

/// What tells a data directory from others.
package enum DataDirectory {
    /// The major version of its server as PG_VERSION has it, `15` or `9.6`; nil if it cannot be told.
    package static func major(_ directory: ConfinedDirectory) -> String? {
        guard let bytes = try? directory.read("PG_VERSION", atMost: 16) else { return nil }
        let text = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        return text.isEmpty ? nil : text
    }
}
