/// A row of a manual page beside the options: an exit status, a variable, or a file, and what it means.
struct ManualEntry: Sendable {
    var name: String
    var text: String

    init(_ name: String, _ text: String) {
        self.name = name
        self.text = text
    }

    // MARK: Exit statuses

    /// Of commands that remove what they made when they fail.
    static let statuses = [
        ManualEntry("0", "It did what it was asked to."),
        ManualEntry(
            "1",
            """
            It failed, or a signal has ended it: standard error says why and what to do, and what it had made is removed. A
            command line that cannot be read ends with it, too.
            """),
        thirdSignal("It ended at once: standard error says what is left."),
    ]

    static func thirdSignal(_ text: String) -> ManualEntry {
        ManualEntry("128+N", "The signal N was the third one (\(signals)). \(text)")
    }

    /// Those that end a run in order.
    private static let signals = "INT, TERM, HUP"

    // MARK: The environment

    /// Of commands that connect to a server.
    static let connection = [
        ManualEntry(
            "PGHOST, PGPORT, PGUSER, PGSSLMODE, PGAPPNAME",
            """
            Where the server is and how to log in, as for every client of libpq, which has more of them. Options and the
            connection string beat them.
            """),
        ManualEntry("PGPASSWORD, PGPASSFILE", "The password, or the file that has it (default: ~/.pgpass)."),
        ManualEntry("PGSERVICE, PGSERVICEFILE", "A service, and the file that has it (default: ~/.pg_service.conf)."),
    ]

    /// Of commands that have links.
    static let version = ManualEntry(
        StockVersion.variable, "The version of PostgreSQL that --version names, such as 15.18.")

    /// Of all commands.
    static let colors = [
        ManualEntry(
            "PG_COLOR, PG_COLORS",
            "Whether messages have colors (always, auto or never), and which, as for PostgreSQL's programs."),
        ManualEntry("NO_COLOR, TERM", "No colors under PG_COLOR=auto; what the terminal can do."),
    ]

    // MARK: Files

    static let connectionFiles = [
        ManualEntry("~/.pgpass", "Passwords. The name of the database is replication."),
        ManualEntry("~/.pg_service.conf", "Services: connection strings with a name."),
    ]
}
