import Glibc
import UnderstudyBackup
import UnderstudyPlatform

/// The environment of a server's programs, and so of the server: PATH, language, time zone, and the account of the user
/// that they run as.
///
/// Nothing else of ours is passed on: a server runs long, passes its environment to every command that it runs, and
/// shows it in /proc; PGPASSWORD and its kin are meant only for our connection, and HOME may be that of the user who
/// called sudo.
struct ServerEnvironment: Sendable, Equatable {
    private(set) var variables: [String: String] = [:]

    private static let kept = [
        "PATH", "TZ", "LANG", "LANGUAGE", "LC_ALL", "LC_ADDRESS", "LC_COLLATE", "LC_CTYPE", "LC_IDENTIFICATION",
        "LC_MEASUREMENT", "LC_MESSAGES", "LC_MONETARY", "LC_NAME", "LC_NUMERIC", "LC_PAPER", "LC_TELEPHONE", "LC_TIME",
    ]

    /// - Parameters:
    ///   - owner: The user that the program runs as, if not this process's user.
    ///   - passfile: PGPASSFILE, for servers whose primary_conninfo cannot name a password file (before 10).
    ///   - caller: Looks up a variable of this process.
    ///   - account: Looks up the account of a user.
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
            // A container may run us as a user ID without an account: then HOME is no other user's.
            variables["HOME"] = caller("HOME")
        }
        if variables["PATH"] == nil { variables["PATH"] = "/usr/local/bin:/usr/bin:/bin" }
        variables["PGPASSFILE"] = passfile
    }
}
