/// The options of `archive` and its subcommands.
enum ArchiveOptions {
    static let directory = CommandOption("directory", "D", "DIRECTORY", help: "the directory of the WAL files")
    static let json = CommandOption("json", help: "print the result as a JSON object")
    static let verbose = CommandOption("verbose", "v", help: "name every file")

    static let backup = CommandOption(
        "backup", "b", "DIRECTORY",
        help: """
            say how far this base backup can be restored, or each
            one in this directory; may be repeated
            """, repeats: true)

    static let keptBackup = CommandOption(
        "backup", "b", "DIRECTORY",
        help: """
            keep what this base backup needs, or each one in this
            directory; may be repeated
            """, repeats: true)
    static let keepFrom = CommandOption(
        "keep-from", nil, "BACKUP",
        help: """
            keep what this base backup needs, and all that follows:
            a directory, or the name of a file
            SEGMENT.OFFSET.backup of the archive; may be repeated
            """, repeats: true)
    static let before = CommandOption(
        "before", nil, "SEGMENT", help: "remove what is older than this segment, and no more")
    static let olderThan = CommandOption(
        "older-than", nil, "TIME",
        help: """
            of that, remove only what was written so long ago, such
            as 14d, and nothing behind the first file that was not
            """)
    static let suffix = CommandOption(
        "suffix", nil, ".SUFFIX",
        help: """
            of files that are not readable here, such as .xz or
            .zst.gpg, remove those, too, whose names end so; may be
            repeated
            """)
    static let apply = CommandOption("apply", help: "remove it; without this nothing is removed")
}

extension Command {
    static let archive = Command(
        name: "archive", summary: "look into an archive of WAL, check it, remove what is not needed",
        options: [CommonOptions.help, CommonOptions.version],
        help: Help(
            about: """
                COMMAND looks into a directory of WAL files, as receivewal, pg_receivewal or an archive_command fill it,
                compressed or not. Nothing has to be stopped meanwhile.
                """,
            usage: ["COMMAND list|check|prune [OPTION]... -D DIRECTORY"],
            sections: [.init(title: "Options", options: [CommonOptions.version, CommonOptions.help])],
            notes: "understudy help archive list, check or prune shows the options of each.",
            examples: [
                "COMMAND list -D /srv/wal --backup /srv/backups", "COMMAND check -D /srv/wal",
                "COMMAND prune -D /srv/wal --backup /srv/backups --older-than 14d",
            ]),
        subcommands: [.archiveList, .archiveCheck, .archivePrune],
        run: { program, words, _ in await program.archive(words) })

    static let archiveList = Command(
        name: "archive list", summary: "say what is there, what is missing, and what it restores",
        options: [
            CommonOptions.help, CommonOptions.version, ArchiveOptions.directory, ArchiveOptions.backup,
            ArchiveOptions.json, ArchiveOptions.verbose,
        ],
        help: Help(
            about: """
                COMMAND says what an archive of WAL holds: timelines, ranges of segments, incomplete ones, gaps, and how far
                base backups can be restored with it. It goes by the names of the files and reads the newest ones.
                """,
            usage: ["COMMAND [OPTION]... -D DIRECTORY"],
            sections: [
                .init(title: "What is looked at", options: [ArchiveOptions.directory, ArchiveOptions.backup]),
                .init(
                    title: "What is said",
                    options: [
                        ArchiveOptions.json, ArchiveOptions.verbose, CommonOptions.version, CommonOptions.help,
                    ]),
            ],
            notes: "The exit status is 0, whatever is missing, unless a file that is looked at cannot be read.",
            examples: ["COMMAND -D /srv/wal", "COMMAND -D /srv/wal --backup /srv/backups --json"]),
        run: { program, words, personality in await program.archiveList(words, as: personality) })

    static let archiveCheck = Command(
        name: "archive check", summary: "read every file, and say which are damaged, and where",
        options: [
            CommonOptions.help, CommonOptions.version, ArchiveOptions.directory, ArchiveOptions.json,
            ArchiveOptions.verbose,
        ],
        help: Help(
            about: """
                COMMAND reads every file of an archive of WAL, on all processors: sizes, compression, the headers of all
                pages, and how timelines join. It says the first bad byte of each bad file.
                """,
            usage: ["COMMAND [OPTION]... -D DIRECTORY"],
            sections: [
                .init(title: "What is looked at", options: [ArchiveOptions.directory]),
                .init(
                    title: "What is said",
                    options: [
                        ArchiveOptions.json, ArchiveOptions.verbose, CommonOptions.version, CommonOptions.help,
                    ]),
            ],
            notes: """
                The exit status is 1 if a file is bad or could not be checked, or WAL is missing, unless the archiver left a
                note of that. The records between the headers are not read.
                """,
            examples: ["COMMAND -D /srv/wal", "COMMAND -D /srv/wal --json"],
            statuses: [
                ManualEntry(
                    "0", "All files were checked and are sound, and no WAL is missing but for what a note tells of."),
                ManualEntry(
                    "1", "A file is bad or could not be checked, WAL is missing, or the archive cannot be read."),
            ]),
        run: { program, words, personality in await program.archiveCheck(words, as: personality) })

    static let archivePrune = Command(
        name: "archive prune", summary: "remove what no base backup needs",
        options: [
            CommonOptions.help, CommonOptions.version, ArchiveOptions.directory, ArchiveOptions.keptBackup,
            ArchiveOptions.keepFrom, ArchiveOptions.before, ArchiveOptions.olderThan, ArchiveOptions.suffix,
            ArchiveOptions.apply,
            ArchiveOptions.json, ArchiveOptions.verbose,
        ],
        help: Help(
            about: """
                COMMAND removes the WAL from an archive that no base backup needs which is kept. It says what would go, and
                removes it only when it is told to apply that.
                """,
            usage: [
                "COMMAND [OPTION]... -D DIRECTORY --backup=DIRECTORY",
                "COMMAND [OPTION]... -D DIRECTORY --before=SEGMENT",
            ],
            sections: [
                .init(
                    title: "What is kept",
                    options: [
                        ArchiveOptions.directory, ArchiveOptions.keptBackup, ArchiveOptions.keepFrom,
                        ArchiveOptions.before, ArchiveOptions.olderThan, ArchiveOptions.suffix,
                    ]),
                .init(
                    title: "What is done and said",
                    options: [
                        ArchiveOptions.apply, ArchiveOptions.json, ArchiveOptions.verbose, CommonOptions.version,
                        CommonOptions.help,
                    ]),
            ],
            notes: """
                History files, incomplete segments, the newest complete segment and what lies in diverged/ stay in any case.
                Files go oldest first, and nothing goes from the first one on that is not readable here, unless --suffix
                names its form. Of a symbolic link, the link goes and its file stays.
                """,
            examples: [
                "COMMAND -D /srv/wal --backup /srv/backups --apply",
                "COMMAND -D /srv/wal --keep-from /srv/backups/monday --older-than 14d",
                "COMMAND -D /srv/wal --before 000000010000000000000010",
            ]),
        run: { program, words, personality in await program.archivePrune(words, as: personality) })
}
