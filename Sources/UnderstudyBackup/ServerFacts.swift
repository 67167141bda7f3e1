import Logging
import UnderstudyConnection
package import UnderstudyProtocol
package import UnderstudyWAL

/// What the replication connection tells of a server.
package struct ServerFacts: Sendable {
    package var version: ServerVersion
    package var identity: SystemIdentity
    package var segmentSize: WALSegmentSize
    /// The mode of the data directory and the directories in it: 0700, or 0750 with group access.
    package var directoryMode: UInt16

    /// The mode of files made on this side.
    package var fileMode: UInt16 { directoryMode & 0o050 == 0 ? 0o600 : 0o640 }

    /// Asks the server. One that is too old is refused; one that is newer than we know is tried.
    init(_ session: Session, logger: Logger) throws(BackupError) {
        version = session.serverVersion
        guard version >= .oldestServed else {
            throw BackupError(
                .server, "server version \(version) is too old",
                hint: "Servers from \(ServerVersion.oldestServed.major) on are served.")
        }
        if version >= .firstUnknown {
            logger.warning("server version \(version) is newer than this program knows; trying anyway")
        }
        identity = try session.ask(ReplicationCommand.identifySystem) { rows throws(ProtocolError) in
            try SystemIdentity(rows)
        }
        segmentSize = .default
        directoryMode = 0o700
        if version.showsSettings {
            let text = try session.show("wal_segment_size")
            guard let size = WALSegmentSize(showText: text) else {
                throw BackupError(ProtocolError("server has an unexpected WAL segment size \"\(text)\""))
            }
            segmentSize = size
        }
        if version.showsDirectoryMode {
            let text = try session.show("data_directory_mode")
            guard let mode = UInt16(text, radix: 8), mode == 0o700 || mode == 0o750 else {
                throw BackupError(ProtocolError("server has an unexpected data_directory_mode \"\(text)\""))
            }
            directoryMode = mode
        }
    }
}

extension Session {
    /// The value of a setting.
    func show(_ setting: String) throws(BackupError) -> String {
        let command = ReplicationCommand.show(setting)
        return try ask(command) { rows throws(ProtocolError) in
            try rows.onlyRow(atLeast: 1, of: command)[0] ?? ""
        }
    }

    /// Runs a command, and reads what its rows say.
    func ask<Value>(
        _ command: String, _ read: (ResultSet) throws(ProtocolError) -> Value
    ) throws(BackupError) -> Value {
        let rows: ResultSet
        do throws(ConnectionError) { rows = try runForRows(command) } catch { throw BackupError(error) }
        do throws(ProtocolError) { return try read(rows) } catch { throw BackupError(error) }
    }

    /// Reads what the next result of BASE_BACKUP says, which must be rows.
    func nextRows<Value>(_ read: (ResultSet) throws(ProtocolError) -> Value) throws(BackupError) -> Value {
        let reply: Reply<ResultSet>
        do throws(ConnectionError) { reply = try nextResult() } catch { throw BackupError(error) }
        guard case .rows(let rows) = reply else {
            throw BackupError(ProtocolError("server did not answer BASE_BACKUP with rows"))
        }
        do throws(ProtocolError) { return try read(rows) } catch { throw BackupError(error) }
    }

    /// The settings in effect, with all hosts that were given; with the one that was found where a standby of this version knows only one.
    var settingsForStandby: [ConnectionParameters.Setting] {
        guard serverVersion < .init(number: 100_000) else { return givenSettings }
        return effectiveSettings.filter { $0.keyword != "hostaddr" }.map { setting in
            switch setting.keyword {
            case "host": ConnectionParameters.Setting(keyword: "host", value: host)
            case "port": ConnectionParameters.Setting(keyword: "port", value: port)
            default: setting
            }
        }
    }
}

extension Logger {
    /// Metadata of lines that are a server's own words.
    static var fromServer: Logger.Metadata { ["source": "server"] }

    /// Hands on a notice or warning of the server, as psql shows it.
    func pass(on message: ServerMessage) {
        var text = "\(message.severity):  \(message.message)"
        if let detail = message.detail { text += "\nDETAIL:  \(detail)" }
        if let hint = message.hint { text += "\nHINT:  \(hint)" }
        log(level: message.severity == "WARNING" ? .warning : .notice, "\(text)", metadata: Self.fromServer)
    }
}
