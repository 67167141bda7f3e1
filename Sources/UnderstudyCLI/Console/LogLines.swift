import Understudy
import UnderstudyPlatform

/// The form of messages on standard error. Does no I/O.
struct LogLines: Sendable, Equatable {
    enum Format: String, Sendable, CaseIterable {
        case text, json
    }

    var format = Format.text
    /// Whether each line of text begins with the time.
    var hasTime = false
    /// Whether each line begins with its level, as the journal of systemd reads it, which adds the time: sd-daemon(3).
    var hasLevel = false

    /// The form that the stock tools have.
    init(_ format: Format = .text) {
        self.format = format
    }

    /// Of a service, which runs long.
    init(_ format: Format, isTerminal: Bool, isJournal: Bool) {
        self.format = format
        hasTime = format == .text && !isTerminal && !isJournal
        hasLevel = isJournal
    }

    /// - Parameters:
    ///   - text: The message for people, in one or more lines. All foreign text in it must be escaped.
    ///   - object: The same for programs; nil for a line of progress.
    /// - Returns: Whole lines.
    func text(_ text: String, _ object: JSONObject?, at time: UTCTime) -> String {
        let kind = object?.kind ?? .info
        var text = text.hasSuffix("\n") ? String(text.dropLast()) : text
        if format == .json {
            let object = object ?? .message(.info, text, facts: MessageFacts(.progress))
            text = object.logText(at: time)
        }
        let beginning = (hasLevel ? "<\(kind.level)>" : "") + (hasTime ? "\(time.timestamp) " : "")
        guard !beginning.isEmpty else { return text + "\n" }
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { "\(beginning)\($0)\n" }.joined()
    }
}

extension JSONObject.Kind {
    /// The level of syslog(3).
    fileprivate var level: Int {
        switch self {
        case .error: 3
        case .warning: 4
        case .notice: 5
        case .info, .progress, .result: 6
        }
    }
}

/// What a message tells programs beside its words.
struct MessageFacts: Sendable {
    /// What happened, by a name that does not change.
    var event: String
    /// In the order in which they are written.
    var members: [(String, JSONValue)]

    init(event: String, _ members: [(String, JSONValue)] = []) {
        self.event = event
        self.members = members
    }

    init(_ event: ProgramEvent = .message, _ members: [(String, JSONValue)] = []) {
        self.init(event: event.rawValue, members)
    }
}

/// What the command line itself has to say, by names that do not change; the others are the library's (`LoggedEvent`).
enum ProgramEvent: String, Sendable, CaseIterable {
    /// Without a name of its own.
    case message
    /// The run ends with this error.
    case failed
    /// A signal asks the run to end.
    case stopping
    /// A line of `--progress`.
    case progress
    /// Messages were dropped, since nobody read them.
    case messagesDropped = "messages-dropped"
    case hookFailed = "hook-failed"
    /// So many files wait for the command that it is not run for the next ones.
    case hookBehind = "hook-behind"
    /// The command was not run for these files.
    case hookSkipped = "hook-skipped"
    /// The service manager could not be told how the service is.
    case notifyFailed = "notify-failed"
}
