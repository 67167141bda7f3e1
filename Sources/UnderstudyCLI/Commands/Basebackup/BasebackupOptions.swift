/// Every option that pg_basebackup has had from 9.3 to 19, so that none is called unknown, and ours.
enum BasebackupOptions {
    // MARK: What the backup holds, and where it goes

    static let pgdata = CommandOption(
        "pgdata", "D", "DIRECTORY", stock: .all,
        help: """
            the directory to write; made, or empty; with -F t
            \"-\" stands for standard output
            """)
    static let format = CommandOption(
        "format", "F", "p|t", stock: .all, help: "plain files, or tar archives (default: plain)")
    static let walMethod = CommandOption(
        "wal-method", "X", "none|fetch|stream", aliases: ["xlog-method"], stock: .all,
        help: """
            how the WAL that it needs gets into it: not at all,
            at its end, or while it runs (default: stream);
            --xlog-method is its older name
            """)
    static let xlog = CommandOption("xlog", "x", stock: .before(100_000), help: "the same as -X fetch")
    static let writeRecoveryConf = CommandOption(
        "write-recovery-conf", "R", stock: .all, help: "write the settings of a standby of this server")
    static let tablespaceMapping = CommandOption(
        "tablespace-mapping", "T", "OLDDIR=NEWDIR", stock: .since(90400),
        help: "put the tablespace of OLDDIR into NEWDIR")
    static let waldir = CommandOption(
        "waldir", nil, "DIRECTORY", aliases: ["xlogdir"], stock: .since(90400),
        help: "put the WAL into DIRECTORY (also: --xlogdir)")
    static let sparse = CommandOption(
        "sparse", isLinked: false,
        help: """
            leave holes, which take no room, for runs of zeros
            of at least 16 MiB outside of WAL (plain format)
            """)
    static let label = CommandOption("label", "l", "LABEL", stock: .all, help: "the backup's label")

    static let target = CommandOption(
        "target", "t", "TARGET[:DETAIL]", stock: .since(150_000),
        help: """
            where the server itself puts the backup, instead of
            -D: server:/DIRECTORY, blackhole, or what else it
            knows (needs -X fetch or none)
            """)
    static let incremental = CommandOption(
        "incremental", "i", "MANIFEST", stock: .since(170_000),
        help: """
            only what has changed since the backup with this
            backup_manifest (servers from 17)
            """)
    static let gzip = CommandOption("gzip", "z", stock: .all, help: "the same as -Z gzip")
    static let compress = CommandOption(
        "compress", "Z", "[client-|server-]METHOD[:DETAIL]", stock: .all,
        help: """
            compress tar archives here, or what is sent on the
            server: none, gzip, lz4 or zstd, with a level or
            level=N,workers=N,long (the last two: zstd), or
            just a level of gzip
            """,
        suggestions: BackupCompressionArgument.methods)

    // MARK: How it is taken

    static let checkpoint = CommandOption(
        "checkpoint", "c", "fast|spread", stock: .all,
        help: """
            begin with a checkpoint at once, or with one that is
            spread out to spare the server (default: spread)
            """)
    static let slot = CommandOption(
        "slot", "S", "NAME", stock: .since(90600), help: "the replication slot of the WAL stream")
    static let createSlot = CommandOption("create-slot", "C", stock: .since(110_000), help: "make that slot")
    static let noSlot = CommandOption("no-slot", stock: .since(100_000), help: "no temporary slot either")
    static let noClean = CommandOption(
        "no-clean", "n", stock: .since(100_000), help: "keep what was made when the backup fails")
    static let forceClean = CommandOption(
        "force-clean",
        help: """
            first remove what an earlier run has left in the same
            place because it was killed, and nothing else
            """)
    static let stallTimeout = CommandOption(
        "stall-timeout", nil, "TIME",
        help: """
            give up when the server is silent for so long, in s
            unless a unit follows (default: 5min; 0 for never)
            """)
    static let spoolDirectory = CommandOption(
        "spool-directory", nil, "DIRECTORY",
        help: """
            where WAL waits while an archive goes to standard
            output (default: $TMPDIR, or /var/tmp)
            """)
    static let noSync = CommandOption(
        "no-sync", "N", stock: .since(100_000), help: "do not wait until all is on stable storage")
    static let syncMethod = CommandOption(
        "sync-method", nil, "fsync|syncfs", stock: .since(170_000),
        help: """
            sync each file, or the file systems as a whole
            (default: what the file system is good for)
            """)
    static let noVerifyChecksums = CommandOption(
        "no-verify-checksums", stock: .since(110_000), help: "do not verify page checksums on the server")
    static let manifestChecksums = CommandOption(
        "manifest-checksums", nil, "NONE|CRC32C|SHA224|SHA256|SHA384|SHA512", stock: .since(130_000),
        help: "the checksums of the manifest (default: CRC32C)")
    static let manifestForceEncode = CommandOption(
        "manifest-force-encode", stock: .since(130_000), help: "hex-encode all file names in the manifest")
    static let noManifest = CommandOption(
        "no-manifest", stock: .since(130_000), help: "no manifest, and so no verification on arrival")
    static let noEstimateSize = CommandOption(
        "no-estimate-size", stock: .since(130_000), help: "do not let the server estimate the size")

    // MARK: What is said, and the server

    static let progress = CommandOption(
        "progress", "P", stock: .all, help: "show how far it is",
        ownValue: .init(
            word: ProgressChoice.word,
            help: """
                show how far it is: on the terminal or in lines now and
                then, not at all, in a line each second, or in a JSON
                object each second on standard output; without a value
                on the terminal, or in the stock tool's lines
                """))
    static let statusInterval = CommandOption(
        "status-interval", "s", "SECONDS", stock: .all,
        help: """
            how often to tell the server the WAL position
            (default: 10; 0 for only when it asks)
            """)
}

extension Command {
    static let basebackup = Command(
        name: "basebackup", summary: "take a base backup, with the options of pg_basebackup", links: ["pg_basebackup"],
        options: [
            CommonOptions.help, CommonOptions.version, BasebackupOptions.pgdata, BasebackupOptions.format,
            BasebackupOptions.incremental, BasebackupOptions.checkpoint, BasebackupOptions.createSlot,
            CommonOptions.maxRate, CommonOptions.jobs, BasebackupOptions.writeRecoveryConf, BasebackupOptions.slot,
            BasebackupOptions.target, BasebackupOptions.tablespaceMapping, BasebackupOptions.walMethod,
            BasebackupOptions.gzip, BasebackupOptions.compress, BasebackupOptions.label, BasebackupOptions.noClean,
            BasebackupOptions.forceClean, ExistingOptions.delta, ExistingOptions.resume, ExistingOptions.keepPartial,
            ExistingOptions.dryRun, ExistingOptions.forceOtherCluster,
            BasebackupOptions.stallTimeout, BasebackupOptions.spoolDirectory,
            BasebackupOptions.sparse, BasebackupOptions.noSync,
            CommonOptions.dbname, CommonOptions.host, CommonOptions.port, CommonOptions.username,
            CommonOptions.noPassword, CommonOptions.password, BasebackupOptions.statusInterval,
            CommonOptions.verbose, BasebackupOptions.progress, BasebackupOptions.waldir, BasebackupOptions.noSlot,
            BasebackupOptions.noVerifyChecksums, BasebackupOptions.noEstimateSize, BasebackupOptions.noManifest,
            BasebackupOptions.manifestForceEncode, BasebackupOptions.manifestChecksums, BasebackupOptions.syncMethod,
            BasebackupOptions.xlog,
        ],
        help: Help(
            about: "COMMAND takes a base backup of a running PostgreSQL server.",
            usage: ["COMMAND [OPTION]... -D DIRECTORY", "COMMAND [OPTION]... -F t -D - > FILE"],
            sections: [
                .init(
                    title: "What the backup holds, and where it goes",
                    options: [
                        BasebackupOptions.pgdata, BasebackupOptions.format, BasebackupOptions.gzip,
                        BasebackupOptions.compress, BasebackupOptions.walMethod,
                        BasebackupOptions.xlog, BasebackupOptions.writeRecoveryConf, BasebackupOptions.incremental,
                        BasebackupOptions.target,
                        BasebackupOptions.tablespaceMapping, BasebackupOptions.waldir, BasebackupOptions.sparse,
                        BasebackupOptions.label,
                    ]),
                .init(
                    title: "How it is taken",
                    options: [
                        BasebackupOptions.checkpoint, CommonOptions.jobs, CommonOptions.maxRate,
                        BasebackupOptions.slot,
                        BasebackupOptions.createSlot, BasebackupOptions.noSlot, BasebackupOptions.noClean,
                        BasebackupOptions.forceClean, BasebackupOptions.stallTimeout,
                        BasebackupOptions.spoolDirectory, BasebackupOptions.noSync,
                        BasebackupOptions.syncMethod, BasebackupOptions.noVerifyChecksums,
                        BasebackupOptions.manifestChecksums, BasebackupOptions.manifestForceEncode,
                        BasebackupOptions.noManifest, BasebackupOptions.noEstimateSize,
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
                        BasebackupOptions.progress, CommonOptions.verbose, CommonOptions.version, CommonOptions.help,
                    ]),
                .init(
                    title: "The server",
                    options: [
                        CommonOptions.dbname, CommonOptions.host, CommonOptions.port, CommonOptions.username,
                        CommonOptions.noPassword, CommonOptions.password, BasebackupOptions.statusInterval,
                    ]),
            ],
            notes: """
                -h, -p and -U beat the connection string; libpq's environment variables, service
                and password files work as with every other client.
                """,
            examples: [
                "COMMAND -h 10.0.0.1 -U replicator -D /srv/backup -c fast -P",
                #"COMMAND -d "host=10.0.0.1 user=replicator" -R -S standby1 -C -D /srv/standby"#,
            ],
            environment: [
                ManualEntry("TMPDIR", "Where WAL waits while an archive goes to standard output (default: /var/tmp).")
            ]),
        run: { program, words, personality in await program.basebackup(words, as: personality) })
}
