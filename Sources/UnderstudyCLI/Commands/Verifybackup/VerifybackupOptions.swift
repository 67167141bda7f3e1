/// Every option that pg_verifybackup has had from 13 to 19, and ours.
enum VerifybackupOptions {
    static let exitOnError = CommandOption(
        "exit-on-error", "e", stock: .since(130_000), help: "end with the first error")
    static let ignore = CommandOption(
        "ignore", "i", "RELATIVE_PATH", stock: .since(130_000),
        help: "do not look at this path of the backup, or beneath it; may be repeated", repeats: true)
    static let manifestPath = CommandOption(
        "manifest-path", "m", "PATH", stock: .since(130_000),
        help: "the manifest (default: backup_manifest of the backup)")
    static let format = CommandOption(
        "format", "F", "p|t", stock: .since(180_000),
        help: "plain files, or tar archives (default: as the backup is)")
    static let noParseWAL = CommandOption(
        "no-parse-wal", "n", stock: .since(130_000), help: "do not look at the WAL")
    static let progress = CommandOption("progress", "P", stock: .since(160_000), help: "show the progress")
    static let quiet = CommandOption("quiet", "q", stock: .since(130_000), help: "print nothing but errors")
    static let skipChecksums = CommandOption(
        "skip-checksums", "s", stock: .since(130_000), help: "compare no contents, only names and sizes")
    static let walDirectory = CommandOption(
        "wal-directory", "w", "PATH", aliases: ["wal-path"], stock: .since(130_000),
        help: """
            where the WAL is (default: pg_wal of the backup);
            --wal-path is its name from 19 on
            """)
}

extension Command {
    static let verifybackup = Command(
        name: "verifybackup", summary: "prove a backup whole, with the options of pg_verifybackup",
        links: ["pg_verifybackup"],
        options: [
            VerifybackupOptions.exitOnError, VerifybackupOptions.ignore, VerifybackupOptions.manifestPath,
            VerifybackupOptions.format, VerifybackupOptions.noParseWAL, VerifybackupOptions.progress,
            VerifybackupOptions.quiet, VerifybackupOptions.skipChecksums, VerifybackupOptions.walDirectory,
            CommonOptions.help, CommonOptions.version, ArchiveOptions.json,
        ],
        help: Help(
            about: """
                COMMAND compares the files of a base backup with its manifest, on all processors, and proves that the WAL
                that it needs is there: without a gap, each record with the right checksum. It needs no other program.
                """,
            usage: ["COMMAND [OPTION]... BACKUP"],
            sections: [
                .init(
                    title: "What is verified",
                    options: [
                        VerifybackupOptions.format, VerifybackupOptions.manifestPath, VerifybackupOptions.walDirectory,
                        VerifybackupOptions.ignore, VerifybackupOptions.skipChecksums, VerifybackupOptions.noParseWAL,
                        VerifybackupOptions.exitOnError,
                    ]),
                .init(
                    title: "What is said",
                    options: [
                        VerifybackupOptions.progress, VerifybackupOptions.quiet, ArchiveOptions.json,
                        CommonOptions.version, CommonOptions.help,
                    ]),
            ],
            notes: """
                The exit status is 1 if anything is wrong or could not be verified. Verify a backup before its server is
                started: that changes its files.
                """,
            examples: [
                "COMMAND /srv/backup", "COMMAND -P -w /srv/wal /srv/backup",
            ],
            statuses: [
                ManualEntry("0", "The backup is whole, as far as it was to be verified."),
                ManualEntry("1", "Something is wrong or could not be verified, or the command line cannot be read."),
            ],
            environment: [ManualEntry.version],
            files: [ManualEntry("backup_manifest", "What the server says of the backup's files and WAL.")]),
        run: { program, words, personality in await program.verifybackup(words, as: personality) })
}
