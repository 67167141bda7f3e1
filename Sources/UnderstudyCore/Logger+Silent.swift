public import Logging

extension Logger.Metadata {
    /// Marks an event of which the stock tools say nothing, or another thing.
    package static let own: Logger.Metadata = ["words": "own"]
}

extension Logger {
    /// A logger that discards everything.
    public static var silent: Logger {
        Logger(label: "understudy") { _ in SwiftLogNoOpLogHandler() }
    }
}

extension UnderstudyError {
    /// All but the message, for a log.
    package var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = ["code": "\(code)"]
        if let detail { metadata["detail"] = "\(detail)" }
        if let remedy { metadata["hint"] = .stringConvertible(remedy) }
        if let sqlState { metadata["sqlstate"] = "\(sqlState)" }
        return metadata
    }
}
