/// The options of `check`.
enum CheckOptions {
    static let primary = CommandOption(
        "primary", "d", "CONNSTR", help: "the primary: a connection string or URI")
    static let standby = CommandOption("standby", nil, "CONNSTR", help: "the standby: a connection string or URI")
    static let roundtrip = CommandOption(
        "roundtrip",
        help: """
            send a marker through the primary's WAL, which leaves
            nothing behind, and say how long it takes until the
            standby has replayed it; without --standby, until all
            have that the primary knows
            """)
    static let wait = CommandOption(
        "wait", nil, "TIME",
        help: """
            check again each second until all is well, for so long,
            in s unless a unit follows
            """)
    static let strict = CommandOption(
        "strict",
        help: "a warning, and what is not known, is not well either: then the exit status is 2")
}

extension Command {
    static let check = Command(
        name: "check", summary: "say whether primary and standby are well, and what to change",
        options: [
            CommonOptions.help, CommonOptions.version, CheckOptions.primary, CheckOptions.standby,
            CommonOptions.noPassword, CommonOptions.password, CheckOptions.roundtrip, CheckOptions.wait,
            ArchiveOptions.json, CheckOptions.strict, CommonOptions.verbose,
        ],
        help: Help(
            about: """
                COMMAND looks at a primary, a standby or both, changes nothing, and says of each thing what it found, whether that
                is well, what is wanted, and the line that cures it: whether the primary can have (more) standbys, whether the
                standby follows it, and how far it is behind.
                """,
            usage: [
                "COMMAND --primary CONNSTR [OPTION]...", "COMMAND [--primary CONNSTR] --standby CONNSTR [OPTION]...",
            ],
            sections: [
                .init(
                    title: "The servers",
                    options: [
                        CheckOptions.primary, CheckOptions.standby, CommonOptions.noPassword, CommonOptions.password,
                    ]),
                .init(title: "What is checked", options: [CheckOptions.roundtrip, CheckOptions.wait]),
                .init(
                    title: "What is said",
                    options: [
                        ArchiveOptions.json, CheckOptions.strict, CommonOptions.verbose, CommonOptions.version,
                        CommonOptions.help,
                    ]),
            ],
            notes: """
                A role that may replicate sees a part of it. The rest is called unknown, with what to grant: pg_monitor for most. The
                exit status is 1 if something is wrong, and 0 otherwise; with --strict it is 2 if there are only warnings or something
                is not known.
                """,
            examples: [
                #"COMMAND --primary "host=10.0.0.1 user=replicator""#,
                #"COMMAND --primary "host=10.0.0.1" --standby "host=10.0.0.2" --roundtrip"#,
                #"COMMAND --standby "host=10.0.0.2 user=monitor" --json --strict"#,
            ],
            statuses: [
                ManualEntry("0", "Nothing is wrong; there may be warnings."),
                ManualEntry(
                    "1",
                    "Something is wrong, a server cannot be reached, or the command line cannot be read."),
                ManualEntry("2", "With --strict: nothing is wrong, but there are warnings, or something is not known."),
                ManualEntry.thirdSignal("It ended at once."),
            ],
            environment: ManualEntry.connection, files: ManualEntry.connectionFiles),
        run: { program, words, _ in await program.check(words) })
}
