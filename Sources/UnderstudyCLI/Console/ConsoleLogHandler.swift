import Logging
import Understudy

/// Prints the library's log as the messages of a PostgreSQL program.
///
/// The metadata `detail` and `hint` become lines of their own, and `sqlstate` a member of the object for programs; a message
/// with `source` = `server` comes from the server, and is printed without a prefix. `event` names what happened, and all other
/// metadata are its facts, for a log that programs read.
struct ConsoleLogHandler: LogHandler {
    let console: Console
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .info

    init(console: Console) {
        self.console = console
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let metadata = self.metadata.merging(event.metadata ?? [:]) { $1 }
        let message = event.message.description
        let detail = metadata["detail"]?.description
        let hint = metadata["hint"]?.hint
        let sqlState = metadata["sqlstate"]?.description
        let facts = MessageFacts(metadata)
        if metadata["source"]?.description == "server" {
            let object = JSONObject.message(
                event.level == .warning ? .warning : .notice, metadata["message"]?.description ?? message,
                detail: detail, hint: hint, sqlState: sqlState, facts: facts)
            return console.server(message, object)
        }
        switch event.level {
        case .trace, .debug: break
        case .info where metadata["words"]?.description == "own":
            console.ownInfo(message, detail: detail, hint: hint, facts: facts)
        case .notice where metadata["words"]?.description == "own":
            console.ownNotice(message, detail: detail, hint: hint, facts: facts)
        case .info: console.info(message, detail: detail, hint: hint, facts: facts)
        case .notice: console.notice(message, detail: detail, hint: hint, facts: facts)
        case .warning: console.warning(message, detail: detail, hint: hint, facts: facts)
        case .error, .critical:
            console.failure(message, detail: detail, hint: hint, sqlState: sqlState, facts: facts)
        }
    }
}

extension Logger.MetadataValue {
    /// The text of a hint: a ``Remedy`` is put in the command line's words.
    fileprivate var hint: String {
        if case .stringConvertible(let value) = self, let remedy = value as? Remedy { return remedy.commandLineText }
        return description
    }
}

extension MessageFacts {
    /// What has a place of its own in every message; and the name of the archiver: the program has one.
    private static let known: Set = ["archiver", "event", "detail", "hint", "sqlstate", "message", "source", "words"]

    init(_ metadata: Logger.Metadata) {
        let facts = metadata.filter { !Self.known.contains($0.key) }.sorted { $0.key < $1.key }
        self.init(
            event: metadata["event"]?.description ?? ProgramEvent.message.rawValue,
            facts.map { ($0.key, $0.value.json) })
    }
}

extension Logger.MetadataValue {
    /// Numbers are numbers, all else is text.
    fileprivate var json: JSONValue {
        guard case .stringConvertible(let value) = self else { return .string(description) }
        return switch value {
        case let number as any FixedWidthInteger: .integer(Int64(clamping: number))
        case let number as Double: .number(number)
        default: .string(description)
        }
    }
}

extension Console {
    var logger: Logger {
        Logger(label: program) { _ in ConsoleLogHandler(console: self) }
    }
}
