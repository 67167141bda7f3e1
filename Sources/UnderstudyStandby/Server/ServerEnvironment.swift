import Glibc
import UnderstudyBackup
import UnderstudyPlatform

/// What a server's programs, and with them the server, find in their environment: where programs lie, language, time zone,
/// and whom they run as, by the system's account of that user. Nothing else of ours: a server lives long, hands its
/// environment on to every command that it runs, and shows it in /proc; PGPASSWORD and its kin are meant for our connection
/// alone, and HOME may be that of whoever called sudo.
struct ServerEnvironment: Sendable, Equatable {
    private(set) var variables: [String: String] = [:]

    private static let kept = [
        "PATH", "TZ", "LANG", "LANGUAGE", "LC_ALL", "LC_ADDRESS", "LC_COLLATE", "LC_CTYPE", "LC_IDENTIFICATION",
        "LC_MEASUREMENT", "LC_MESSAGES", "LC_MONETARY", "LC_NAME", "LC_NUMERIC", "LC_PAPER", "LC_TELEPHONE", "LC_TIME",
    ]

    /// - Parameters:
    ///   - owner: Whom the program runs as, if not this process's user.
    ///   - passfile: PGPASSFILE, for servers whose primary_conninfo cannot name a password file (before 10).
    ///   - caller: The environment of this process: a variable's value by its name.
    ///   - account: What the system knows of a user.
    init(
        owner: BaseBackup.Owner? = nil, passfile: String? = nil, caller: (String) -> String? = environmentVariable,
        account: (UInt32) -> Account? = { Account(user: $0) }
    ) {
        for name in Self.kept { variables[name] = caller(name) }
        let user = owner?.user ?? geteuid()
        if let account = account(user) {
            variables["HOME"] = account.home
            variables["SHELL"] = account.shell
            variables["USER"] = account.name
            variables["LOGNAME"] = account.name
        } else if user == geteuid() {
            // A container may run us as a number without an account: then nobody else's home is at hand.
            variables["HOME"] = caller("HOME")
        }
        if variables["PATH"] == nil { variables["PATH"] = "/usr/local/bin:/usr/bin:/bin" }
        variables["PGPASSFILE"] = passfile
    }
}
