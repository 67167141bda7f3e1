import UnderstudyPlatform

/// The name the program was called by, and what follows from it.
enum Personality: Sendable, Equatable {
    /// `understudy`, with subcommands.
    case understudy
    /// A link named `pg_basebackup`: that program, as far as its callers can see.
    case baseBackup
    /// A link named `pg_receivewal`.
    case receiveWAL
    /// A link named `pg_receivexlog`: the same, by its name before 10.
    case receiveXLOG

    /// - Parameter path: The first word of the command line, with or without folders.
    init(calledAs path: String) {
        switch path.pathComponents.last {
        case "pg_basebackup": self = .baseBackup
        case "pg_receivewal": self = .receiveWAL
        case "pg_receivexlog": self = .receiveXLOG
        default: self = .understudy
        }
    }

    /// What messages begin with.
    var program: String {
        switch self {
        case .understudy: "understudy"
        case .baseBackup: "pg_basebackup"
        case .receiveWAL: "pg_receivewal"
        case .receiveXLOG: "pg_receivexlog"
        }
    }

    /// The command that a user types for a base backup, and asks for help.
    var baseBackupCommand: String { command("basebackup") }
    var baseBackupVersion: String { version(of: "basebackup") }

    /// The command that a user types to receive WAL, and asks for help.
    var receiveWALCommand: String { command("receivewal") }
    var receiveWALVersion: String { version(of: "receivewal") }

    /// The label of a backup that is given none.
    var label: String { self == .understudy ? "understudy base backup" : "\(program) base backup" }

    /// A link is a program of its own, without subcommands.
    private func command(_ subcommand: String) -> String {
        self == .understudy ? "understudy \(subcommand)" : program
    }

    /// Callers look for `NAME (PostgreSQL) X.Y`, and want an X.Y no less than their server's; some take the second
    /// word, so that NAME is one word.
    private func version(of subcommand: String) -> String {
        let name = self == .understudy ? "understudy-\(subcommand)" : program
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
