import Logging
import Understudy

/// Prints the library's log as the messages of a PostgreSQL program.
///
/// The metadata `detail` and `hint` become lines of their own, and `sqlstate` a member of the object for programs; a message
/// with `source` = `server` comes from the server, and is printed without a prefix. All other metadata is for programs that
/// embed the library.
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
        if metadata["source"]?.description == "server" {
            let object = JSONObject.message(
                event.level == .warning ? .warning : .notice, metadata["message"]?.description ?? message,
                detail: detail, hint: hint, sqlState: sqlState)
            return console.server(message, object)
        }
        switch event.level {
        case .trace, .debug: break
        case .info where metadata["words"]?.description == "own": console.ownInfo(message, detail: detail, hint: hint)
        case .notice where metadata["words"]?.description == "own":
            console.ownNotice(message, detail: detail, hint: hint)
        case .info: console.info(message, detail: detail, hint: hint)
        case .notice: console.notice(message, detail: detail, hint: hint)
        case .warning: console.warning(message, detail: detail, hint: hint)
        case .error, .critical: console.failure(message, detail: detail, hint: hint, sqlState: sqlState)
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

extension Console {
    var logger: Logger {
        Logger(label: program) { _ in ConsoleLogHandler(console: self) }
    }
}
