import Glibc
import UnderstudyConfiguration
import UnderstudyConnection
import UnderstudyPlatform

/// Where to query a started standby: only on this machine.
enum StandbyAddress: Equatable, Sendable {
    /// - Parameter peer: The name of the user that the server must run as, checked with the kernel (`requirepeer`).
    case socket(directory: String, peer: String?)
    /// An address of this machine on which the server listens, according to its file. No password is sent there: any
    /// process may listen on an address, and nothing shows which one does.
    case loopback(String)

    /// - Parameters:
    ///   - file: The postmaster.pid of a server known to be ours.
    ///   - user: The user that the server runs as.
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

    /// The connection string for psql, without a password and without settings of the primary.
    func connectionString(port: Int, database: String) -> String {
        var settings = ConnectionSettings([
            ConnectionSettings.Setting("host", host), ConnectionSettings.Setting("port", "\(port)"),
            ConnectionSettings.Setting("dbname", database),
        ])
        if case .socket(_, let peer?) = self { settings["requirepeer"] = peer }
        return settings.conninfo
    }

    /// The parameters for a login here with the primary's credentials; nil if that must not happen.
    ///
    /// All settings that the user gave for the security of the connection stay in force. As in libpq, a socket has no
    /// TLS and ignores sslmode, but require_auth, channel_binding and gssencmode count; if they cannot be satisfied,
    /// the login fails.
    ///
    /// - Parameters:
    ///   - login: The settings of the login, with services and environment resolved.
    ///   - environment: Looks up a variable of this process. libpq connects to PGHOSTADDR instead of any socket.
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

    /// Settings that select the primary, or that say what the connection is for.
    private static let ofThePrimary: Set<String> = [
        "host", "hostaddr", "port", "service", "servicefile", "target_session_attrs", "load_balance_hosts",
        "replication", "dbname", "requirepeer", "connect_timeout",
    ]

    /// Whether a socket belongs to the server's user, in a directory where only that user and root can have put it.
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
