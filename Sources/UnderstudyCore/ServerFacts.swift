package import Logging
package import UnderstudyConnection
package import UnderstudyProtocol
package import UnderstudyWAL

/// What a server reports about itself over the replication connection.
package struct ServerFacts: Sendable {
    package var version: ServerVersion
    package var identity: SystemIdentity
    package var segmentSize: WALSegmentSize
    /// The mode of the data directory and the directories in it: 0700, or 0750 with group access.
    package var directoryMode: UInt16

    /// The mode of the files that we create.
    package var fileMode: UInt16 { directoryMode & 0o050 == 0 ? 0o600 : 0o640 }

    /// Asks the server. Refuses one that is too old; warns about one that is newer than we know, and tries it.
    package init(_ session: Session, logger: Logger) throws(UnderstudyError) {
        version = session.serverVersion
        try version.requireSupported()
        if version >= .firstUnknown {
            logger.warning(
                "server version \(version) is newer than this program knows; trying anyway",
                metadata: .event(.serverIsNewer))
        }
        identity = try session.ask(.identifySystem)
        segmentSize = .default
        directoryMode = 0o700
        if version.showsSettings {
            let text = try session.show("wal_segment_size")
            guard let size = WALSegmentSize(showText: text) else {
                throw UnderstudyError(ProtocolError("server has an unexpected WAL segment size \"\(text)\""))
            }
            segmentSize = size
        }
        if version.showsDirectoryMode {
            let text = try session.show("data_directory_mode")
            guard let mode = UInt16(text, radix: 8), mode == 0o700 || mode == 0o750 else {
                throw UnderstudyError(ProtocolError("server has an unexpected data_directory_mode \"\(text)\""))
            }
            directoryMode = mode
        }
    }
}

extension ServerVersion {
    /// Refuses a server that is too old.
    package func requireSupported() throws(UnderstudyError) {
        guard self >= .oldestSupported else {
            throw UnderstudyError(
                .server, "server version \(self) is too old",
                hint: "Servers from \(Self.oldestSupported.major) on are served.")
        }
    }
}

extension Session {
    /// The value of a setting.
    package func show(_ setting: String) throws(UnderstudyError) -> String {
        try ask(.show(setting))
    }

    /// Runs a query and reads its rows.
    package func ask<Value>(_ query: ReplicationQuery<Value>) throws(UnderstudyError) -> Value {
        let rows: ResultSet
        do throws(ConnectionError) { rows = try runForRows(query.text) } catch { throw UnderstudyError(error) }
        do throws(ProtocolError) { return try query.read(rows) } catch { throw UnderstudyError(error) }
    }
}

extension Logger {
    /// The metadata of log lines that quote the server.
    package static var fromServer: Logger.Metadata { .event(.serverMessage, ["source": "server"]) }

    /// Logs a notice or warning of the server in psql's format. The metadata has its parts by themselves.
    package func pass(on message: ServerMessage) {
        var text = "\(message.severityWord):  \(message.message)"
        if let detail = message.detail { text += "\nDETAIL:  \(detail)" }
        if let hint = message.hint { text += "\nHINT:  \(hint)" }
        var metadata = Self.fromServer
        metadata["message"] = "\(message.message)"
        if let detail = message.detail { metadata["detail"] = "\(detail)" }
        if let hint = message.hint { metadata["hint"] = "\(hint)" }
        if let sqlState = message.sqlState { metadata["sqlstate"] = "\(sqlState)" }
        log(level: message.severity == "WARNING" ? .warning : .notice, "\(text)", metadata: metadata)
    }
}

extension ServerMessage {
    /// The severity if it looks like one, in any language (before 9.6 a server may translate it), else NOTICE. The line
    /// begins with it, and must not look like one of our own.
    fileprivate var severityWord: String {
        let isWord = severity.allSatisfy { ($0.isLetter && !$0.isLowercase) || " ()".contains($0) }
        return isWord && (1...30).contains(severity.count) ? severity : "NOTICE"
    }
}
