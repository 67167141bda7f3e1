import Understudy
import UnderstudyPlatform

/// One line of `--progress=json`, or of a log (`--log-format=json`). It gets its time when it is written.
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
    /// For a log.
    var facts = MessageFacts()

    /// A message, with the members of every message.
    static func message(
        _ kind: Kind, _ message: String, detail: String? = nil, hint: String? = nil, sqlState: String? = nil,
        facts: MessageFacts = MessageFacts()
    ) -> JSONObject {
        let members = Self.members(message, detail: detail, hint: hint, sqlState: sqlState)
        return JSONObject(kind: kind, members: members, facts: facts)
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

    /// A line of a log.
    func logText(at time: UTCTime) -> String {
        let beginning: [(String, JSONValue)] = [
            ("time", .string(time.timestamp)), ("level", .string(kind.rawValue)), ("event", .string(facts.event)),
        ]
        return JSONValue.object(beginning + members + facts.members).text
    }

    static func == (one: JSONObject, other: JSONObject) -> Bool {
        one.kind == other.kind && JSONValue.object(one.members).text == JSONValue.object(other.members).text
    }
}
