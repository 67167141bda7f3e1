import Glibc
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyPlatform

/// Where a started standby is asked: on this machine alone.
enum StandbyPlace: Equatable, Sendable {
    /// - Parameter peer: Whom the server at the other end must run as, by name; the kernel tells it (`requirepeer`).
    case socket(directory: String, peer: String?)
    /// An address of this machine on which the server listens, as far as its file is true. No password goes there: anybody
    /// may listen on an address, and nothing tells who does.
    case loopback(String)

    /// - Parameters:
    ///   - file: Of a postmaster that is known to be ours.
    ///   - user: Whom it runs as.
    init?(_ file: PostmasterFile, user: UInt32) {
        if let directory = file.socketDirectory, Self.isTrusted(directory, port: file.port, user: user) {
            self = .socket(directory: directory, peer: userName(user))
        } else if let address = file.loopback {
            self = .loopback(address)
        } else {
            return nil
        }
    }

    var host: String {
        switch self {
        case .socket(let directory, _): directory
        case .loopback(let address): address
        }
    }

    /// What psql connects with: no password, and no setting that is the primary's.
    func connectionString(port: Int, database: String) -> String {
        var settings = ConnectionSettings([
            ConnectionSettings.Setting("host", host), ConnectionSettings.Setting("port", "\(port)"),
            ConnectionSettings.Setting("dbname", database),
        ])
        if case .socket(_, let peer?) = self { settings["requirepeer"] = peer }
        return settings.conninfo
    }

    /// What a login of the primary's connects with here; nil where it must not.
    ///
    /// All that the user gave for the security of the connection stays in force. As libpq has it, a socket knows no TLS and
    /// sslmode does not count there, while require_auth, channel_binding and gssencmode do; where they cannot be had, the login
    /// fails.
    ///
    /// - Parameters:
    ///   - login: With services and environment resolved.
    ///   - environment: A variable of this process by its name. libpq takes the address that it names for any socket.
    func parameters(
        _ login: [ConnectionParameters.Setting], port: Int, environment: (String) -> String?
    ) -> ConnectionParameters? {
        guard case .socket(let directory, let peer?) = self, var parameters = try? ConnectionParameters(""),
            ["PGHOSTADDR", "PGSERVICE"].allSatisfy({ (environment($0) ?? "").isEmpty })
        else { return nil }
        for setting in login where !Self.ofThePrimary.contains(setting.keyword) {
            parameters[setting.keyword] = setting.value
        }
        parameters["host"] = directory
        parameters["port"] = "\(port)"
        parameters["requirepeer"] = peer
        parameters["target_session_attrs"] = "any"
        return parameters
    }

    /// Which server it is, and what is asked of it.
    private static let ofThePrimary: Set<String> = [
        "host", "hostaddr", "port", "service", "servicefile", "target_session_attrs", "load_balance_hosts",
        "replication", "dbname", "requirepeer", "connect_timeout",
    ]

    /// Whether a socket is of the server's user, in a directory in which nobody but that user and root can have put it.
    private static func isTrusted(_ directory: String, port: Int, user: UInt32) -> Bool {
        guard directory.isAbsolutePath else { return false }
        var info = stat()
        // Both calls fill the struct.
        guard unsafe stat(directory, &info) == 0, info.st_mode & S_IFMT == S_IFDIR, [user, 0].contains(info.st_uid),
            unsafe lstat("\(directory)/.s.PGSQL.\(port)", &info) == 0
        else { return false }
        return info.st_mode & S_IFMT == S_IFSOCK && info.st_uid == user
    }
}
