import Understudy
import UnderstudyPlatform

/// One line of `--progress=json`. It gets its time when it is written.
struct JSONObject: Sendable, Equatable {
    enum Kind: String, Sendable {
        /// How far the run is.
        case progress
        /// How the run ended; nothing follows.
        case result
        case error, warning
        /// A message that is shown in any case.
        case notice
        /// A message that is shown with `-v` only.
        case info
    }

    var kind: Kind
    var members: [(String, JSONValue)]

    /// A message, with the members of every message.
    static func message(
        _ kind: Kind, _ message: String, detail: String? = nil, hint: String? = nil, sqlState: String? = nil
    ) -> JSONObject {
        JSONObject(kind: kind, members: Self.members(message, detail: detail, hint: hint, sqlState: sqlState))
    }

    static func members(of error: UnderstudyError) -> [(String, JSONValue)] {
        members(
            error.message, detail: error.detail, hint: error.remedy?.commandLineText, sqlState: error.sqlState)
    }

    private static func members(
        _ message: String, detail: String?, hint: String?, sqlState: String?
    ) -> [(String, JSONValue)] {
        [
            ("message", .string(message)), ("detail", .optional(detail)), ("hint", .optional(hint)),
            ("sqlstate", .optional(sqlState)),
        ]
    }

    func text(at time: UTCTime) -> String {
        JSONValue.object([("time", .string(time.timestamp)), ("type", .string(kind.rawValue))] + members).text
    }

    static func == (one: JSONObject, other: JSONObject) -> Bool {
        one.kind == other.kind && JSONValue.object(one.members).text == JSONValue.object(other.members).text
    }
}
