import Glibc
import UnderstudyBackup
import UnderstudyFileIO

/// What a server's programs, and with them the server, find in their environment: where programs lie, language, time zone,
/// and whom they run as. Nothing else of ours: a server lives long, hands its environment on to every command that it runs,
/// and shows it in /proc; PGPASSWORD and its kin are meant for our connection alone.
struct ServerEnvironment: Sendable, Equatable {
    private(set) var variables: [String: String] = [:]

    private static let kept = [
        "PATH", "TZ", "LANG", "LANGUAGE", "LC_ALL", "LC_ADDRESS", "LC_COLLATE", "LC_CTYPE", "LC_IDENTIFICATION",
        "LC_MEASUREMENT", "LC_MESSAGES", "LC_MONETARY", "LC_NAME", "LC_NUMERIC", "LC_PAPER", "LC_TELEPHONE", "LC_TIME",
    ]
    private static let personal = ["HOME", "LOGNAME", "SHELL", "USER"]

    /// - Parameters:
    ///   - owner: Whom the program runs as, if not this process's user.
    ///   - passfile: PGPASSFILE, for servers whose primary_conninfo cannot name a password file (before 10).
    ///   - caller: The environment of this process: a variable's value by its name.
    init(
        owner: BaseBackup.Owner? = nil, passfile: String? = nil, caller: (String) -> String? = Self.ofThisProcess
    ) {
        let isAnother = owner.map { $0.user != geteuid() } ?? false
        for name in Self.kept + (isAnother ? [] : Self.personal) { variables[name] = caller(name) }
        if let owner, isAnother, let account = Account(user: owner.user) {
            variables["HOME"] = account.home
            variables["SHELL"] = account.shell
            variables["USER"] = account.name
            variables["LOGNAME"] = account.name
        }
        if variables["PATH"] == nil { variables["PATH"] = "/usr/local/bin:/usr/bin:/bin" }
        variables["PGPASSFILE"] = passfile
    }

    static func ofThisProcess(_ name: String) -> String? {
        // The environment is not changed while the program runs.
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
