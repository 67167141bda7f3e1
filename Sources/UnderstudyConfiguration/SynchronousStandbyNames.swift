/// The value of synchronous_standby_names: which standbys commits may wait for.
///
/// Source: PostgreSQL manual, "synchronous_standby_names"; syncrep_scanner.l.
package struct SynchronousStandbyNames: Sendable, Equatable {
    /// Names in lower case; `*` for any. Words of the grammar are among them, which does no harm: who is called so waits
    /// for a sync too many.
    private let names: Set<String>
    /// How many standbys a commit waits for; none if the setting is empty.
    package let needed: Int

    package init(_ setting: String) {
        var words: [String] = [], name: String?, isQuoted = false, hasList = false
        func end() {
            if let word = name { words.append(word.lowercased()) }
            name = nil
        }
        for scalar in setting.unicodeScalars {
            switch scalar {
            // A doubled quote stands for one; names with quotes are not told apart here, but found.
            case "\"": isQuoted.toggle()
            case "(", ")", ",", " ", "\t", "\n", "\r":
                if isQuoted { name = (name ?? "") + String(scalar) } else { end() }
                if !isQuoted, scalar == "(" { hasList = true }
            default: name = (name ?? "") + String(scalar)
            }
        }
        end()
        names = Set(words)
        // Before the list stands a number, from 10 on maybe with FIRST or ANY before it.
        let number = words.first.map { ["first", "any"].contains($0) ? words.dropFirst().first : $0 } ?? nil
        needed = words.isEmpty ? 0 : hasList ? number.flatMap { Int($0) } ?? 1 : 1
    }

    package var isEmpty: Bool { needed == 0 }

    /// Whether commits may wait for a standby of that name.
    ///
    /// - Parameter name: The application_name.
    package func mayMean(_ name: String) -> Bool {
        names.contains("*") || names.contains(name.lowercased().replacing("\"", with: ""))
    }
}
