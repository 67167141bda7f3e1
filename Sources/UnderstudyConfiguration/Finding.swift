/// A problem that would make a backup or a standby fail, reported in advance.
///
/// `message` has PostgreSQL's form; detail and hint are whole sentences, and the hint says what to do.
package struct Finding: Error, Hashable, Sendable, CustomStringConvertible {
    package var message: String
    package var detail: String?
    package var hint: String?

    package init(_ message: String, detail: String? = nil, hint: String? = nil) {
        self.message = message
        self.detail = detail
        self.hint = hint
    }

    package var description: String {
        var text = message
        if let detail { text += "\nDETAIL:  \(detail)" }
        if let hint { text += "\nHINT:  \(hint)" }
        return text
    }
}
