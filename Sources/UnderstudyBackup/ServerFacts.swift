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
        do {
            identity = try SystemIdentity(session.runForRows(ReplicationCommand.identifySystem))
            segmentSize = .default
            directoryMode = 0o700
            if version.showsSettings {
                let text = try Self.show("wal_segment_size", session)
                guard let size = WALSegmentSize(showText: text) else {
                    throw ProtocolError("server has an unexpected WAL segment size \"\(text)\"")
                }
                segmentSize = size
            }
            if version.showsDirectoryMode {
                let text = try Self.show("data_directory_mode", session)
                guard let mode = UInt16(text, radix: 8), mode == 0o700 || mode == 0o750 else {
                    throw ProtocolError("server has an unexpected data_directory_mode \"\(text)\"")
                }
                directoryMode = mode
            }
        } catch let error as ConnectionError {
            throw BackupError(error)
        } catch let error as ProtocolError {
            throw BackupError(error)
        } catch { fatalError("unreachable: \(error)") }
    }

    private static func show(_ setting: String, _ session: Session) throws -> String {
        let command = ReplicationCommand.show(setting)
        return try session.runForRows(command).onlyRow(atLeast: 1, of: command)[0] ?? ""
    }
}

extension Session {
    /// The settings in effect, with the one host that was found where a standby of this version knows only one.
    var settingsForStandby: [ConnectionParameters.Setting] {
        guard serverVersion < .init(number: 100_000) else { return effectiveSettings }
        return effectiveSettings.filter { $0.keyword != "hostaddr" }.map { setting in
            switch setting.keyword {
            case "host": ConnectionParameters.Setting(keyword: "host", value: host)
            case "port": ConnectionParameters.Setting(keyword: "port", value: port)
            default: setting
            }
        }
    }

    /// The next result, which must be rows.
    func nextRows() throws(ConnectionError) -> ResultSet {
        guard case .rows(let rows) = try nextResult() else {
            throw ConnectionError(.protocolViolation, "server did not answer BASE_BACKUP with rows")
        }
        return rows
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
