/// The name the program was called by, and what follows from it.
enum Personality: Sendable, Equatable {
    /// `understudy`, with subcommands.
    case understudy
    /// A link named `pg_basebackup`: that program, as far as its callers can see.
    case baseBackup

    /// - Parameter path: The first word of the command line, with or without folders.
    init(calledAs path: String) {
        let name = path.split(separator: "/").last ?? ""
        self = name == "pg_basebackup" ? .baseBackup : .understudy
    }

    /// What messages begin with.
    var program: String {
        switch self {
        case .understudy: "understudy"
        case .baseBackup: "pg_basebackup"
        }
    }

    /// The command that a user types for a base backup, and asks for help.
    var baseBackupCommand: String {
        switch self {
        case .understudy: "understudy basebackup"
        case .baseBackup: "pg_basebackup"
        }
    }

    /// The label of a backup that is given none.
    var label: String {
        switch self {
        case .understudy: "understudy base backup"
        case .baseBackup: "pg_basebackup base backup"
        }
    }

    /// Callers look for `NAME (PostgreSQL) X.Y`, and want an X.Y no less than their server's; some take the second
    /// word, so that NAME is one word.
    var baseBackupVersion: String {
        let name =
            switch self {
            case .understudy: "understudy-basebackup"
            case .baseBackup: "pg_basebackup"
            }
        return "\(name) (PostgreSQL) \(Version.newestServer).0 (Understudy \(Version.understudy))"
    }
}

enum Version {
    static let understudy = "0.1.0"
    /// The newest PostgreSQL that this program is made for.
    static let newestServer = "19"
    static let oldestServer = "9.3"

    static let text = "understudy \(understudy) (for PostgreSQL \(oldestServer) to \(newestServer))"
}
