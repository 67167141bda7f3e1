import UnderstudyPlatform

/// The program that the process acts as, by the name it was called by.
enum Personality: Sendable, Equatable {
    /// `understudy`, with subcommands.
    case understudy
    /// A link named `pg_basebackup`: behaves as that program to its callers.
    case baseBackup
    /// A link named `pg_receivewal`.
    case receiveWAL
    /// A link named `pg_receivexlog`: the same program by its name before 10.
    case receiveXLOG

    /// - Parameter path: The first word of the command line, with or without directories.
    init(calledAs path: String) {
        switch path.pathComponents.last {
        case "pg_basebackup": self = .baseBackup
        case "pg_receivewal": self = .receiveWAL
        case "pg_receivexlog": self = .receiveXLOG
        default: self = .understudy
        }
    }

    /// The prefix of messages.
    var program: String {
        switch self {
        case .understudy: "understudy"
        case .baseBackup: "pg_basebackup"
        case .receiveWAL: "pg_receivewal"
        case .receiveXLOG: "pg_receivexlog"
        }
    }

    /// The command for a base backup, as a user types it.
    var baseBackupCommand: String { command("basebackup") }
    var baseBackupVersion: String { version(of: "basebackup") }

    /// The command to receive WAL, as a user types it.
    var receiveWALCommand: String { command("receivewal") }
    var receiveWALVersion: String { version(of: "receivewal") }

    /// The label of a backup without `--label`.
    var label: String { self == .understudy ? "understudy base backup" : "\(program) base backup" }

    /// A program called through a link has no subcommands.
    private func command(_ subcommand: String) -> String {
        self == .understudy ? "understudy \(subcommand)" : program
    }

    /// Callers look for `NAME (PostgreSQL) X.Y`, with X.Y no older than their server's; some take the second word, so
    /// NAME is one word.
    private func version(of subcommand: String) -> String {
        let name = self == .understudy ? "understudy-\(subcommand)" : program
        return "\(name) (PostgreSQL) \(Version.newestServer).0 (Understudy \(Version.understudy))"
    }
}

enum Version {
    static let understudy = "0.1.0"
    /// The newest PostgreSQL version that is supported.
    static let newestServer = "19"
    static let oldestServer = "9.3"

    static let text = "understudy \(understudy) (for PostgreSQL \(oldestServer) to \(newestServer))"
}
