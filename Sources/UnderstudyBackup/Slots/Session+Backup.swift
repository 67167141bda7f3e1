import UnderstudyConnection
import UnderstudyCore
import UnderstudyPlatform
import UnderstudyProtocol

extension Session {
    /// Reads the next result of BASE_BACKUP, which must be rows.
    ///
    /// - Parameter attempt: What the command was for: before the server's error, as the stock tool has it.
    func nextRows<Value>(attempt: String? = nil, _ read: (ResultSet) throws(ProtocolError) -> Value)
        throws(UnderstudyError) -> Value
    {
        let reply: Reply<ResultSet>
        do throws(ConnectionError) { reply = try nextResult() } catch { throw UnderstudyError(error, attempt: attempt) }
        guard case .rows(let rows) = reply else {
            throw UnderstudyError(ProtocolError("server did not answer BASE_BACKUP with rows"))
        }
        do throws(ProtocolError) { return try read(rows) } catch { throw UnderstudyError(error) }
    }

    private static let files: Set = ["passfile", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir"]

    /// The settings in effect, for a standby: with all given hosts from 10, with only the connected host before. Files
    /// have their whole path: a server looks in its own directory.
    var settingsForStandby: [ConnectionParameters.Setting] {
        settingsAsGiven.map { setting in
            guard Self.files.contains(setting.keyword), !["", "system"].contains(setting.value) else { return setting }
            // A key of a hardware token is `engine:key`.
            if setting.keyword == "sslkey", setting.value.contains(":") { return setting }
            return ConnectionParameters.Setting(keyword: setting.keyword, value: absolutePath(setting.value))
        }
    }

    private var settingsAsGiven: [ConnectionParameters.Setting] {
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
