/// Every option that pg_receivewal has had from 9.3, as pg_receivexlog, to 19, and ours.
enum ReceivewalOptions {
    // MARK: Where the WAL goes

    static let directory = CommandOption(
        "directory", "D", "DIRECTORY", stock: .all, help: "the directory of the WAL files, which must exist")
    static let compress = CommandOption(
        "compress", "Z", "METHOD[:LEVEL]", stock: .since(100_000),
        help: """
            compress them: none, gzip (levels 1 to 9), lz4 (1 to
            12), zstd (1 to 22); a level alone is gzip's
            """,
        suggestions: CompressionArgument.methods)
    static let noSync = CommandOption(
        "no-sync", stock: .since(100_000), help: "do not wait until each is on stable storage")
    static let synchronous = CommandOption(
        "synchronous", stock: .since(90500),
        help: """
            sync and acknowledge at once whatever has arrived, for
            a server that waits for it in its commits
            """)

    // MARK: What is received

    static let slot = CommandOption(
        "slot", "S", "NAME", stock: .since(90400), help: "the replication slot that keeps the WAL on the server")
    static let recreateSlot = CommandOption(
        "recreate-slot",
        help: """
            make the slot anew if the server has invalidated it or
            it is gone, note the WAL that is missing, and go on
            """)
    static let startLSN = CommandOption(
        "start-lsn", nil, "LSN", help: "where to begin, unless the directory goes further")
    static let endpos = CommandOption(
        "endpos", "E", "LSN", stock: .since(100_000), help: "stop, with success, when this position is passed")
    static let noLoop = CommandOption(
        "no-loop", "n", stock: .all,
        help: """
            give up when the connection is lost; without it the
            connection is made again
            """)
    static let maxRate = CommandOption(
        "max-rate", "r", "RATE",
        help: """
            most kB per second, or with a suffix k or M: from 32k
            to 1024M
            """)
    static let maxLag = CommandOption(
        "max-lag", nil, "SIZE",
        help: """
            warn when the slot keeps more than SIZE bytes on the
            server, or with a unit kB, MB, GB or TB (0 for never)
            """)
    static let stallTimeout = CommandOption(
        "stall-timeout", nil, "TIME",
        help: """
            give a connection up when the server is silent for so
            long, in s unless a unit follows (default: 5min; 0 for
            never)
            """)

    // MARK: Instead of receiving

    static let createSlot = CommandOption(
        "create-slot", stock: .since(90500),
        help: """
            make the slot that --slot names, then exit; it keeps
            WAL from its first use on
            """)
    static let ifNotExists = CommandOption(
        "if-not-exists", stock: .since(90500), help: "a slot of that name that is there already is no error")
    static let dropSlot = CommandOption(
        "drop-slot", stock: .since(90500), help: "drop the slot that --slot names, then exit")

    // MARK: What is said, and the server

    static let progress = CommandOption(
        "progress", "P", help: "show how far it is",
        ownValue: .init(
            word: ProgressChoice.word,
            help: """
                show how far it is: on the terminal or in lines now and
                then, not at all, in a line each second, or in a JSON
                object each second on standard output (default: auto)
                """))
    static let listen = CommandOption(
        "listen", nil, "[ADDRESS:]PORT",
        help: """
            show metrics, health and status over HTTP, and a page
            for people; without ADDRESS to this machine alone
            """)
    static let metricsFile = CommandOption(
        "metrics-file", nil, "FILE",
        help: "write the metrics into FILE every 15 s, for node_exporter")
    static let statusInterval = CommandOption(
        "status-interval", "s", "SECONDS", stock: .all,
        help: """
            how often to tell the server the WAL position
            (default: 10; 0 for only when it moves or the server
            asks)
            """)
}

extension Command {
    static let receivewal = Command(
        name: "receivewal", summary: "receive WAL into an archive, with the options of pg_receivewal",
        links: ["pg_receivewal", "pg_receivexlog"],
        options: [
            CommonOptions.help, CommonOptions.version, ReceivewalOptions.directory, CommonOptions.dbname,
            ReceivewalOptions.endpos, CommonOptions.host, CommonOptions.port, CommonOptions.username,
            ReceivewalOptions.noLoop, CommonOptions.noPassword, CommonOptions.password,
            ReceivewalOptions.statusInterval, ReceivewalOptions.slot, CommonOptions.verbose,
            ReceivewalOptions.compress, ReceivewalOptions.createSlot, ReceivewalOptions.dropSlot,
            ReceivewalOptions.ifNotExists, ReceivewalOptions.synchronous, ReceivewalOptions.noSync,
            ReceivewalOptions.startLSN, ReceivewalOptions.recreateSlot, ReceivewalOptions.maxLag,
            ReceivewalOptions.maxRate, ReceivewalOptions.stallTimeout, ReceivewalOptions.progress,
            ReceivewalOptions.listen, ReceivewalOptions.metricsFile,
        ] + ReceivewalOptions.service,
        help: Help(
            about: "COMMAND receives the WAL of a running PostgreSQL server into a directory.",
            usage: [
                "COMMAND [OPTION]... -D DIRECTORY", "COMMAND [OPTION]... --create-slot --slot=NAME",
                "COMMAND [OPTION]... --drop-slot --slot=NAME",
            ],
            sections: [
                .init(
                    title: "Where the WAL goes",
                    options: [
                        ReceivewalOptions.directory, ReceivewalOptions.compress, ReceivewalOptions.noSync,
                        ReceivewalOptions.synchronous,
                    ]),
                .init(
                    title: "What is received",
                    options: [
                        ReceivewalOptions.slot, ReceivewalOptions.recreateSlot, ReceivewalOptions.startLSN,
                        ReceivewalOptions.endpos, ReceivewalOptions.noLoop, ReceivewalOptions.maxRate,
                        ReceivewalOptions.maxLag, ReceivewalOptions.stallTimeout,
                    ]),
                .init(
                    title: "Instead of receiving",
                    options: [
                        ReceivewalOptions.createSlot, ReceivewalOptions.ifNotExists, ReceivewalOptions.dropSlot,
                    ]),
                .init(
                    title: "What is said",
                    options: [
                        ReceivewalOptions.progress, ReceivewalOptions.listen, ReceivewalOptions.metricsFile,
                        CommonOptions.verbose, CommonOptions.version, CommonOptions.help,
                    ]),
                .init(title: "As a service", options: ReceivewalOptions.service),
                .init(
                    title: "The server",
                    options: [
                        CommonOptions.dbname, CommonOptions.host, CommonOptions.port, CommonOptions.username,
                        CommonOptions.noPassword, CommonOptions.password, ReceivewalOptions.statusInterval,
                    ]),
            ],
            notes: """
                -h, -p and -U beat the connection string; libpq's environment variables, service
                and password files work as with every other client.
                """,
            examples: [
                "COMMAND -h 10.0.0.1 -U replicator --create-slot --slot archive1",
                "COMMAND -h 10.0.0.1 -U replicator -D /srv/wal -S archive1 -Z zstd -v",
                #"COMMAND -d "host=db1,db2 user=replicator target_session_attrs=primary" -D /srv/wal -P"#,
            ],
            statuses: [
                ManualEntry("0", "A signal ended it, --endpos was passed, or the slot was made or dropped."),
                ManualEntry("1", "Everything else; standard error says why and what to do."),
                .thirdSignal("It ended at once, as in a crash: what was acknowledged is there."),
            ],
            files: [
                ManualEntry("000000010000000000000003", "A complete segment."),
                ManualEntry(".gz, .lz4, .zst", "The end of the name of one that is compressed."),
                ManualEntry(".partial", "That of one that is not complete: the newest, or the last of a timeline."),
                ManualEntry("00000002.history", "Where a timeline began."),
                ManualEntry(
                    ".missing", "A note that WAL from there on was removed by the server before it was received."),
                ManualEntry("diverged/", "WAL that is not in the history of the present server."),
            ]),
        run: { program, words, personality in await program.receivewal(words, as: personality) })
}
