import Understudy

/// The options of `configure`.
enum ConfigureOptions {
    static let pgdata = CommandOption("pgdata", "D", "DIRECTORY", help: "the data directory, in which no server runs")
    static let mode = CommandOption(
        "mode", nil, "standby|recovery",
        help: """
            a standby that follows its primary or an archive, or a recovery that
            replays an archive and ends (default: what it is already; a standby with
            --primary; a recovery with a target)
            """)
    static let configFile = CommandOption(
        "config-file", nil, "FILE",
        help: """
            the postgresql.conf of the server, where it is neither in the data
            directory nor in /etc/postgresql; read, and written for 9.3 only
            """)

    // MARK: The primary

    static let noPassword = CommandOption(
        "no-password", "w", help: "leave the password out: the server's user has it in its ~/.pgpass")
    static let password = CommandOption("password", "W", help: "ask for the password")
    static let slot = CommandOption("slot", "S", "NAME", help: "the slot on the primary that keeps WAL for the standby")
    static let noSlot = CommandOption("no-slot", help: "no slot")

    // MARK: WAL from an archive

    static let archive = CommandOption(
        CloneOptions.archive.name, nil, "DIRECTORY",
        help: "have restore-wal hand the server WAL of this archive; may be repeated", repeats: true)
    static let restoreCommand = CommandOption(
        CloneOptions.restoreCommand.name, nil, "COMMAND",
        help: """
            how the server gets WAL from an archive; %f stands for the file's name, %p
            for where it belongs
            """)
    static let archiveCleanupCommand = CommandOption(
        "archive-cleanup-command", nil, "COMMAND",
        help: "what a standby runs at each restart point; %r stands for the oldest file that it needs")
    static let recoveryEndCommand = CommandOption(
        "recovery-end-command", nil, "COMMAND", help: "what the server runs once, at the end of recovery")

    // MARK: The standby

    static let minApplyDelay = CommandOption(
        "recovery-min-apply-delay", nil, "TIME",
        help: """
            replay commits that much later than the primary made them, in ms unless a
            unit follows (from 9.4)
            """)
    static let triggerFile = CommandOption(
        "trigger-file", nil, "FILE", help: "promote the standby when this file appears (up to 15)")
    static let port = CommandOption("standby-port", nil, "PORT", help: "the port that the server listens on")
    static let set = CommandOption(
        "set", nil, "NAME=VALUE", help: "one more setting; may be repeated, and is quoted here", repeats: true)
    static let reset = CommandOption(
        "reset", nil, "NAME", help: "take a setting out again; may be repeated", repeats: true)

    // MARK: The recovery target

    static let targetTime = CommandOption(
        "recovery-target-time", nil, "TIMESTAMP", help: "a moment, such as \"2026-11-28 12:04:00+00\"")
    static let targetName = CommandOption(
        "recovery-target-name", nil, "NAME", help: "a restore point, made by pg_create_restore_point")
    static let targetXID = CommandOption("recovery-target-xid", nil, "XID", help: "a transaction, by its number")
    static let targetLSN = CommandOption("recovery-target-lsn", nil, "LSN", help: "a position (from 10)")
    static let targetImmediate = CommandOption(
        "recovery-target-immediate", help: "as soon as the server is consistent: the end of the backup (from 9.4)")
    static let targetInclusive = CommandOption(
        "recovery-target-inclusive", nil, "on|off",
        help: "with a time, transaction or position: just after it, or just before (default: on)")
    static let targetAction = CommandOption(
        "recovery-target-action", nil, "pause|promote|shutdown",
        help: "with a target: what the server does there (default: pause)")
    static let timeline = CommandOption(
        "recovery-target-timeline", nil, "latest|current|NUMBER",
        help: "the timeline to follow (default: latest from 12, current before)", suggestions: ["latest", "current"])

    static let dryRun = CommandOption("dry-run", help: "show the changes as diff -u does, and change nothing")

    static let places = [targetTime, targetName, targetXID, targetLSN, targetImmediate]
}

extension Command {
    private static let sections: [Help.Section] = [
        .init(
            title: "The directory",
            options: [ConfigureOptions.pgdata, ConfigureOptions.mode, ConfigureOptions.configFile]),
        .init(
            title: "The primary",
            options: [
                CloneOptions.primary, CloneOptions.primaryHost, CloneOptions.primaryPort, CloneOptions.primaryUser,
                ConfigureOptions.password, ConfigureOptions.noPassword, CloneOptions.passfile, ConfigureOptions.slot,
                ConfigureOptions.noSlot,
            ]),
        .init(
            title: "WAL from an archive",
            options: [
                ConfigureOptions.archive, ConfigureOptions.restoreCommand, ConfigureOptions.archiveCleanupCommand,
                ConfigureOptions.recoveryEndCommand,
            ]),
        .init(
            title: "Where recovery stops",
            options: ConfigureOptions.places + [
                ConfigureOptions.targetInclusive, ConfigureOptions.targetAction, ConfigureOptions.timeline,
            ]),
        .init(
            title: "More settings",
            options: [
                ConfigureOptions.minApplyDelay, ConfigureOptions.triggerFile, ConfigureOptions.port,
                ConfigureOptions.set, ConfigureOptions.reset,
            ]),
        .init(
            title: "What is said",
            options: [ConfigureOptions.dryRun, CommonOptions.verbose, CommonOptions.version, CommonOptions.help]),
    ]

    static let configure = Command(
        name: "configure", summary: "make a data directory a standby, or set it to recover",
        options: sections.flatMap(\.options),
        help: Help(
            about: """
                COMMAND writes the recovery settings of a data directory in which no server runs, for the version of its
                server: recovery.conf before 12, postgresql.auto.conf and standby.signal or recovery.signal from 12. What
                is not given stays as it is.
                """,
            usage: ["COMMAND -D DIRECTORY [OPTION]..."],
            sections: sections,
            notes: """
                A password comes from the connection string, --password or the variable PGPASSWORD. A new target replaces an
                earlier one with all that belongs to it; --primary or --mode without a target takes it out.
                """,
            examples: [
                #"COMMAND -D /srv/standby --primary "host=10.0.0.1 user=replicator" --slot standby1"#,
                #"COMMAND -D /srv/restored --archive /srv/wal --recovery-target-time "2026-11-28 12:04:00+00""#,
            ],
            environment: [ManualEntry("PGPASSWORD", "The password of the primary, if nothing else gives one.")],
            files: [
                ManualEntry("postgresql.auto.conf", "The settings, but for 9.3; before 12 only those of any server."),
                ManualEntry("standby.signal, recovery.signal", "From 12: what the server does when it starts."),
                ManualEntry("recovery.conf", "Before 12: the settings of recovery, in a block with marks around it."),
            ]),
        run: { program, words, _ in await program.configure(words) })
}
