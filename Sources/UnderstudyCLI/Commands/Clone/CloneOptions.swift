/// The options of `clone`, read by the same rules as those of the stock tools.
enum CloneOptions {
    // MARK: The primary

    static let primary = CommandOption(
        "primary", "d", "CONNSTR", aliases: ["dbname"], help: "a connection string or URI (also: --dbname)")
    static let primaryHost = CommandOption(
        "primary-host", "h", "HOST", aliases: ["host"],
        help: "the host, or the directory of its socket (also: --host)")
    static let primaryPort = CommandOption("primary-port", "p", "PORT", help: "the port")
    /// The same; an option of its own, since it was once that of the standby's port.
    static let port = CommandOption("port", nil, "PORT", help: "the same as -p, as with every client")
    static let primaryUser = CommandOption(
        "primary-user", "U", "ROLE", aliases: ["username"],
        help: "the role, which needs REPLICATION (also: --username)")

    // MARK: The standby's files

    static let pgdata = CommandOption("pgdata", "D", "DIRECTORY", help: "the data directory; made, or empty")
    static let tablespaceMapping = CommandOption(
        "tablespace-mapping", "T", "OLDDIR=NEWDIR", help: "put the tablespace of OLDDIR into NEWDIR")
    static let waldir = CommandOption("waldir", nil, "DIRECTORY", help: "put the WAL into DIRECTORY")
    static let owner = CommandOption(
        "owner", nil, "USER", help: "whom the files belong to (for root), by name, or as UID or UID:GID")
    static let sparse = CommandOption(
        "sparse",
        help: """
            leave holes, which take no room, for runs of zeros of at least 16 MiB
            outside of WAL
            """)

    static let noServerLogs = CommandOption(
        "no-server-logs",
        help: """
            leave out what the primary's server has logged into its data directory
            (log_directory)
            """)

    // MARK: The standby's settings

    static let slot = CommandOption(
        "slot", "S", "NAME",
        help: """
            the slot that keeps WAL for the standby; made, or taken over if nobody
            uses it
            """)
    static let noSlot = CommandOption("no-slot", help: "no slot, and no warning about that")
    static let passfile = CommandOption(
        "passfile", nil, "FILE", help: "write the password into FILE, not into the settings")
    static let standbyPort = CommandOption(
        "standby-port", nil, "PORT", help: "the port that the standby listens on (default: the primary's)")
    static let restoreCommand = CommandOption(
        "restore-command", nil, "COMMAND",
        help: """
            how the standby gets WAL that the primary has removed; %f stands for
            the file's name, %p for where it belongs
            """)
    static let archive = CommandOption(
        "archive", nil, "DIRECTORY",
        help: """
            have restore-wal hand the standby WAL of this archive that the primary has
            removed; may be repeated
            """, repeats: true)
    static let set = CommandOption(
        "set", nil, "NAME=VALUE", help: "one more setting of the standby; may be repeated, and is quoted here")
    static let configFile = CommandOption(
        "config-file", nil, "FILE", help: "the postgresql.conf to use, where it is not in the data directory")
    static let generateConfig = CommandOption(
        "generate-config", help: "make minimal configuration files where the copy has none")

    // MARK: The start

    static let start = CommandOption("start", help: "start the standby, and wait until it streams")
    static let binDir = CommandOption("bin-dir", nil, "DIRECTORY", help: "where pg_ctl is (default: the usual places)")
    static let log = CommandOption(
        "log", nil, "FILE",
        help: """
            where the standby writes what it says (default: Debian's log directory
            for one of its clusters, or DIRECTORY.start.log)
            """)
    static let wait = CommandOption(
        "wait", nil, "TIME", help: "how long to wait, in s unless a unit follows (default: 60s)")

    // MARK: How the backup is taken

    static let checkpoint = CommandOption(
        "checkpoint", "c", "fast|spread",
        help: """
            begin with a checkpoint at once, or with one that is spread out to
            spare the primary (default: spread)
            """)
    static let maxRate = CommandOption(
        "max-rate", "r", "RATE", help: "most kB per second that the primary sends, or with a suffix k or M")
    static let label = CommandOption("label", "l", "LABEL", help: "the backup's label")
    static let noClean = CommandOption("no-clean", "n", help: "keep what was made when the clone fails")
    static let forceClean = CommandOption(
        "force-clean",
        help: """
            first remove what an earlier run has left in the same place because it
            was killed, and nothing else
            """)
    static let stallTimeout = CommandOption(
        "stall-timeout", nil, "TIME",
        help: """
            give up when the primary is silent for so long, in s unless a unit
            follows (default: 5min; 0 for never)
            """)
    static let noSync = CommandOption("no-sync", "N", help: "do not wait until all is on stable storage")
    static let noVerifyChecksums = CommandOption(
        "no-verify-checksums", help: "do not verify page checksums on the primary")

    // MARK: What is said

    static let progress = CommandOption(
        "progress", nil, ProgressChoice.word,
        help: """
            how far it is: on the terminal, not at all, a line each second, or a
            JSON object each second on standard output (default: auto)
            """)
}

extension Command {
    static let clone = Command(
        name: "clone", summary: "turn a running primary into a standby, and start it if you like",
        options: [
            CommonOptions.help, CommonOptions.version, CloneOptions.primary, CloneOptions.primaryHost,
            CloneOptions.primaryPort, CloneOptions.port, CloneOptions.primaryUser, CommonOptions.noPassword,
            CommonOptions.password, CloneOptions.pgdata, CloneOptions.tablespaceMapping, CloneOptions.waldir,
            CloneOptions.owner, CloneOptions.sparse, CloneOptions.noServerLogs,
            CloneOptions.slot, CloneOptions.noSlot, CloneOptions.passfile, CloneOptions.standbyPort,
            CloneOptions.configFile, CloneOptions.generateConfig, CloneOptions.archive, CloneOptions.restoreCommand,
            CloneOptions.set,
            CloneOptions.start, CloneOptions.binDir,
            CloneOptions.log, CloneOptions.wait, CloneOptions.checkpoint, CommonOptions.jobs, CloneOptions.maxRate,
            CloneOptions.label, CloneOptions.noClean, CloneOptions.forceClean, ExistingOptions.delta,
            ExistingOptions.resume, ExistingOptions.keepPartial, ExistingOptions.dryRun,
            ExistingOptions.forceOtherCluster, CloneOptions.stallTimeout,
            CloneOptions.noSync,
            CloneOptions.noVerifyChecksums, CloneOptions.progress, CommonOptions.verbose,
        ],
        help: Help(
            about: """
                COMMAND turns a running primary into a standby: a verified base backup, the WAL that belongs
                to it, a replication slot, the recovery settings of the server's version, and a start if you like.
                """,
            usage: ["COMMAND --primary CONNSTR -D DIRECTORY [OPTION]..."],
            sections: [
                .init(
                    title: "The primary",
                    options: [
                        CloneOptions.primary, CloneOptions.primaryHost, CloneOptions.primaryPort, CloneOptions.port,
                        CloneOptions.primaryUser, CommonOptions.noPassword, CommonOptions.password,
                    ]),
                .init(
                    title: "The standby's files",
                    options: [
                        CloneOptions.pgdata, CloneOptions.tablespaceMapping, CloneOptions.waldir, CloneOptions.owner,
                        CloneOptions.sparse, CloneOptions.noServerLogs,
                    ]),
                .init(
                    title: "The standby's settings",
                    options: [
                        CloneOptions.slot, CloneOptions.noSlot, CloneOptions.passfile, CloneOptions.standbyPort,
                        CloneOptions.configFile, CloneOptions.generateConfig, CloneOptions.archive,
                        CloneOptions.restoreCommand,
                        CloneOptions.set,
                    ]),
                .init(
                    title: "The start",
                    options: [CloneOptions.start, CloneOptions.binDir, CloneOptions.log, CloneOptions.wait]),
                .init(
                    title: "How the backup is taken",
                    options: [
                        CloneOptions.checkpoint, CommonOptions.jobs, CloneOptions.maxRate, CloneOptions.label,
                        CloneOptions.noClean,
                        CloneOptions.forceClean, CloneOptions.stallTimeout, CloneOptions.noSync,
                        CloneOptions.noVerifyChecksums,
                    ]),
                .init(
                    title: "What is there already",
                    options: [
                        ExistingOptions.delta, ExistingOptions.resume, ExistingOptions.keepPartial,
                        ExistingOptions.dryRun, ExistingOptions.forceOtherCluster,
                    ]),
                .init(
                    title: "What is said",
                    options: [
                        CloneOptions.progress, CommonOptions.verbose, CommonOptions.version, CommonOptions.help,
                    ]),
            ],
            notes: """
                -d, -h, -p and -U have their long names of other clients, too, and -h, -p and -U beat the connection string; libpq's environment variables, service and password files
                work as with every other client.
                """,
            examples: [
                #"COMMAND --primary "host=10.0.0.1 user=replicator" -D /srv/standby --slot standby1"#,
                "COMMAND -h 10.0.0.1 -U replicator -D /srv/standby --slot standby1 -c fast --start",
            ]),
        run: { program, words, _ in await program.clone(words) })
}
