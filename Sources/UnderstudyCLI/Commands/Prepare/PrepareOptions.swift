/// The options of `prepare`.
enum PrepareOptions {
    // MARK: The primary

    static let primaryPort = CommandOption(
        "primary-port", "p", "PORT", aliases: ["port"], help: "the port (also: --port)")
    static let primaryUser = CommandOption(
        "primary-user", "U", "ROLE", aliases: ["username"],
        help: "the role to connect as, usually a superuser (also: --username)")

    // MARK: What standbys need

    static let standby = CommandOption(
        "standby", nil, "ADDRESS",
        help: """
            where a standby comes from, for pg_hba.conf: an IP address, a network
            (10.0.0.0/24), a host name, or local for the socket; may be repeated
            """, repeats: true)
    static let role = CommandOption(
        "role", nil, "NAME", help: "the role for replication; made if it is not there (default: replicator)")
    static let passwordFile = CommandOption(
        "role-password-file", nil, "FILE",
        help: """
            the role's password is the first line of FILE (default: that of
            $UNDERSTUDY_ROLE_PASSWORD, or asked for if the role has none)
            """)

    // MARK: Settings

    static let maxWALSenders = CommandOption(
        "max-wal-senders", nil, "NUMBER", help: "at least so many (default: room for one more standby)")
    static let maxReplicationSlots = CommandOption(
        "max-replication-slots", nil, "NUMBER", help: "at least so many (default: room for one more slot)")
    static let walKeep = CommandOption(
        "wal-keep", nil, "SIZE",
        help: """
            at least so much WAL for standbys without a slot, in bytes or with a
            unit kB, MB, GB or TB (wal_keep_size, before 13 wal_keep_segments)
            """)
    static let listenAddresses = CommandOption(
        "listen-addresses", nil, "LIST", help: "the addresses that the primary listens on, * for all")
    static let editFiles = CommandOption(
        "edit-files", help: "write settings into postgresql.conf, not by ALTER SYSTEM (before 9.4 always so)")

    // MARK: How it is done

    static let dryRun = CommandOption("dry-run", help: "show what would be done, and do nothing")
    static let restart = CommandOption("restart", help: "restart the primary if settings need that")
    static let wait = CommandOption(
        "wait", nil, "TIME", help: "how long a restart may take, in s unless a unit follows (default: 60s)")
    static let binDir = CommandOption(
        "bin-dir", nil, "DIRECTORY", help: "where pg_ctl is, for a restart (default: the usual places)")
}

extension Command {
    static let prepare = Command(
        name: "prepare", summary: "make a server ready to be a primary: role, settings, pg_hba.conf",
        options: [
            CommonOptions.help, CommonOptions.version, CloneOptions.primary, CloneOptions.primaryHost,
            PrepareOptions.primaryPort, PrepareOptions.primaryUser, CommonOptions.noPassword, CommonOptions.password,
            PrepareOptions.standby, PrepareOptions.role, PrepareOptions.passwordFile, PrepareOptions.maxWALSenders,
            PrepareOptions.maxReplicationSlots, PrepareOptions.walKeep, PrepareOptions.listenAddresses,
            PrepareOptions.editFiles, PrepareOptions.dryRun, PrepareOptions.restart, PrepareOptions.wait,
            PrepareOptions.binDir, CommonOptions.verbose,
        ],
        help: Help(
            about: """
                COMMAND makes a server ready to be the primary of standbys: a role that may replicate, the settings of
                its version, and lines of pg_hba.conf. What is right already stays.
                """,
            usage: ["COMMAND [OPTION]..."],
            sections: [
                .init(
                    title: "The primary",
                    options: [
                        CloneOptions.primary, CloneOptions.primaryHost, PrepareOptions.primaryPort,
                        PrepareOptions.primaryUser, CommonOptions.noPassword, CommonOptions.password,
                    ]),
                .init(
                    title: "The standbys",
                    options: [PrepareOptions.standby, PrepareOptions.role, PrepareOptions.passwordFile]),
                .init(
                    title: "Settings",
                    options: [
                        PrepareOptions.maxWALSenders, PrepareOptions.maxReplicationSlots, PrepareOptions.walKeep,
                        PrepareOptions.listenAddresses, PrepareOptions.editFiles,
                    ]),
                .init(
                    title: "How it is done",
                    options: [
                        PrepareOptions.dryRun, PrepareOptions.restart, PrepareOptions.wait, PrepareOptions.binDir,
                        CommonOptions.verbose, CommonOptions.version, CommonOptions.help,
                    ]),
            ],
            notes: """
                Without options it connects as libpq does. On the primary's machine it writes pg_hba.conf itself, as the user to whom that belongs or as root; from elsewhere it
                prints the lines that are to be put there. The old file is kept beside the new one.
                """,
            examples: [
                "COMMAND --standby 10.0.0.7 --dry-run",
                #"COMMAND --primary "host=10.0.0.1 user=postgres" --standby 10.0.0.0/24 --role replicator"#,
            ],
            environment: [
                ManualEntry(
                    PreparePlan.passwordVariable, "The password for the role, if --role-password-file is not given.")
            ],
            files: [
                ManualEntry(
                    "pg_hba.conf.old", "Beside pg_hba.conf: what it was before. A number follows if there is one.")
            ]),
        run: { program, words, _ in await program.prepare(words) })
}
