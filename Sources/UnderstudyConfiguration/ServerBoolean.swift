/// How a server reads a value as true or false: the words and their unambiguous beginnings.
///
/// Source: parse_bool of PostgreSQL's `bool.c`.
package enum ServerBoolean {
    package static func isOn(_ value: String) -> Bool {
        let word = value.lowercased()
        return word == "1" || word == "on" || ["true", "yes"].contains { !word.isEmpty && $0.hasPrefix(word) }
    }

    package static func isOff(_ value: String) -> Bool {
        let word = value.lowercased()
        return word == "0" || ["false", "no"].contains { !word.isEmpty && $0.hasPrefix(word) }
            || (word.count > 1 && "off".hasPrefix(word))
    }
}
