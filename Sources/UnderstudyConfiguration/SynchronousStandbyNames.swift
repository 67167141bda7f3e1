/// The value of synchronous_standby_names: which standbys commits may wait for.
///
/// Source: PostgreSQL manual, "synchronous_standby_names"; syncrep_scanner.l.
package struct SynchronousStandbyNames: Sendable, Equatable {
    /// Names in lower case; `*` for any. Words of the grammar are among them, which does no harm: who is called so waits
    /// for a sync too many.
    private let names: Set<String>

    package init(_ setting: String) {
        var names: Set<String> = [], name: String?, isQuoted = false
        func end() {
            if let word = name { names.insert(word.lowercased()) }
            name = nil
        }
        for scalar in setting.unicodeScalars {
            switch scalar {
            // A doubled quote stands for one; names with quotes are not told apart here, but found.
            case "\"": isQuoted.toggle()
            case "(", ")", ",", " ", "\t", "\n", "\r":
                if isQuoted { name = (name ?? "") + String(scalar) } else { end() }
            default: name = (name ?? "") + String(scalar)
            }
        }
        end()
        self.names = names
    }

    /// Whether commits may wait for a standby of that name.
    ///
    /// - Parameter name: The application_name.
    package func mayMean(_ name: String) -> Bool {
        names.contains("*") || names.contains(name.lowercased().replacing("\"", with: ""))
    }
}
