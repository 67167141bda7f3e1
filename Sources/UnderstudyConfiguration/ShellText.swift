/// Quotes words for a shell. Works on scalars, because a quote followed by a combining character is a different
/// `Character` but still a quote.
package enum ShellText {
    /// Quotes any text as one word for sh(1).
    package static func word(_ text: String) -> String {
        if isPlain(text) { return text }
        var word = "'"
        for scalar in text.unicodeScalars {
            if scalar == "'" { word += "'\\''" } else { word.unicodeScalars.append(scalar) }
        }
        return word + "'"
    }

    /// Quotes any text as one word to paste into a modern shell. Hidden characters are written as octal escapes,
    /// `$'\033'`.
    package static func pasted(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: \.isHidden) else { return word(text) }
        var word = "$'"
        for scalar in text.unicodeScalars {
            if scalar.isHidden {
                for byte in scalar.utf8 {
                    let digits = String(byte, radix: 8)
                    word += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
                }
            } else {
                if scalar == "'" || scalar == "\\" { word += "\\" }
                word.unicodeScalars.append(scalar)
            }
        }
        return word + "'"
    }

    private static func isPlain(_ text: String) -> Bool {
        !text.isEmpty
            && text.unicodeScalars.allSatisfy { scalar in
                switch scalar {
                case "a"..."z", "A"..."Z", "0"..."9": true
                default: "/._-=,:+@".unicodeScalars.contains(scalar)
                }
            }
    }
}
