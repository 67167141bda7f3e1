import UnderstudyPlatform

/// The name that the program was called by: its own, or that of a stock program whose place it takes.
struct Personality: Sendable, Equatable {
    /// What messages begin with.
    let program: String
    /// The command that a link stands for; nil where a command follows.
    private let commandName: String?

    /// `understudy`, with subcommands.
    static let understudy = Personality(program: "understudy", commandName: nil)
    /// A link named `pg_basebackup`: that program, as far as its callers can see.
    static let baseBackup = Personality(program: "pg_basebackup", commandName: "basebackup")
    /// A link named `pg_receivewal`.
    static let receiveWAL = Personality(program: "pg_receivewal", commandName: "receivewal")
    /// A link named `pg_receivexlog`: the same, by its name before 10.
    static let receiveXLOG = Personality(program: "pg_receivexlog", commandName: "receivewal")

    /// A link named `pg_verifybackup`.
    static let verifyBackup = Personality(program: "pg_verifybackup", commandName: "verifybackup")

    private init(program: String, commandName: String?) {
        self.program = program
        self.commandName = commandName
    }

    /// - Parameter path: The first word of the command line, with or without folders. A link's name may end in a version:
    ///   see ``StockVersion``.
    init(calledAs path: String) {
        let name = (StockVersion.link(path)?.name ?? path.pathComponents.last).map(String.init) ?? ""
        let command = Command.all.first { $0.links.contains(name) }
        self = command.map { Personality(program: name, commandName: $0.name) } ?? .understudy
    }

    var command: Command? { commandName.flatMap(Command.named) }

    /// The words that a user types to run a command. A link is a program of its own, without subcommands.
    func line(of command: Command) -> String {
        self == .understudy ? "\(program) \(command.name)" : program
    }

    /// What `--version` prints for a command that takes the place of a stock program.
    ///
    /// Callers look for `NAME (PostgreSQL) X.Y`; some take the second word, so that NAME is one word.
    func versionText(of command: Command, _ version: StockVersion) -> String {
        let name = self == .understudy ? "\(program)-\(command.name)" : program
        return "\(name) (PostgreSQL) \(version.text) (Understudy \(Version.understudy))"
    }

    /// The label of a backup without one of its own.
    var label: String { "\(program) base backup" }
}

enum Version {
    static let understudy = "0.1.0"
    /// The newest PostgreSQL that this program is made for.
    static let newestServer = "19"
    static let oldestServer = "9.3"

    static let text = "understudy \(understudy) (for PostgreSQL \(oldestServer) to \(newestServer))"
}
