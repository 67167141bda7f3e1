/// What `understudy --help` prints.
enum UnderstudyHelp {
    static let text = """
        \(about)

        Usage:
          understudy COMMAND [OPTION]...

        Commands:
        \(commands)
          help COMMAND  show the help of a command

        Options:
          -V, --version  show the version, then exit
          -?, --help     show this help, then exit

        \(WrappedText.lines(notes).joined(separator: "\n"))

        Examples:
        \(examples.map(WrappedText.command).joined(separator: "\n"))

        """

    static let summary = "copy running PostgreSQL servers over their replication protocol"

    static let about = "understudy copies running PostgreSQL servers over their replication protocol."

    static var notes: String { "Called through a link named \(links), it takes that program's place." }

    static var examples: [String] {
        [
            #"understudy clone --primary "host=10.0.0.1 user=replicator" -D /srv/standby --slot standby1 --start"#,
            "understudy basebackup -h 10.0.0.1 -U replicator -D /srv/backup -P",
            "understudy receivewal -h 10.0.0.1 -U replicator -D /srv/wal --slot archive1 -Z zstd",
        ]
    }

    private static var commands: String {
        Command.all.map { command in
            "  \(command.name)" + String(repeating: " ", count: 14 - command.name.count) + command.summary
        }.joined(separator: "\n")
    }

    private static var links: String {
        let names = Command.all.flatMap(\.links)
        return names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
    }
}
