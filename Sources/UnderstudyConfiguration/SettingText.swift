/// A setting of the server with its value, as SQL has it.
package enum SettingText {
    /// `ALTER SYSTEM SET name = value;`, from 9.4.
    package static func alterSystem(_ name: String, _ value: String) -> String {
        "ALTER SYSTEM SET \(name) = \(self.value(value));"
    }

    /// Takes back what ALTER SYSTEM has set.
    package static func reset(_ name: String) -> String { "ALTER SYSTEM RESET \(name);" }

    /// A value as ALTER SYSTEM and postgresql.conf take it, if it has no backslash.
    static func value(_ value: String) -> String {
        let isNumber = !value.isEmpty && value.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return isNumber || words.contains(value) ? value : "'\(value.replacing("'", with: "''"))'"
    }

    /// Values that need no quotes.
    private static let words: Set<String> = ["on", "off", "hot_standby", "replica", "logical"]
}
