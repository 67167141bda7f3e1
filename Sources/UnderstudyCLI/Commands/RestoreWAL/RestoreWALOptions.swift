/// The options of `restore-wal`.
enum RestoreWALOptions {
    static let directory = CommandOption(
        "directory", "D", "DIRECTORY",
        help: """
            a WAL archive; may be repeated: the first that has the file counts
            (default: those in $UNDERSTUDY_ARCHIVE, with colons between them)
            """, repeats: true)
    static let diverged = CommandOption(
        "diverged",
        help: """
            prefer files that the receiver has set aside in diverged/, which are of
            another history than the present server's
            """)
    static let onDoubt = CommandOption(
        "on-doubt", nil, "stop|wait",
        help: """
            if the archive cannot tell: stop the server, or keep it waiting
            (default: stop a recovery that ends by itself, and have a standby ask
            again). A server that was told to become a primary goes on after 5s:
            stopped, it would come up on its old timeline
            """)
    static let retryTime = CommandOption(
        "retry-time", nil, "TIME",
        help: """
            how long to try again before that, in s unless a unit follows
            (default: 30s; under a standby 1s; while a server becomes a primary 5s;
            outside of a recovery not at all)
            """)
    static let prefetch = CommandOption(
        "prefetch", nil, "N",
        help: """
            how many segments to unpack ahead, beside the server's own
            (default: 4; 0 for none)
            """)
}

extension Command {
    static let restoreWAL = Command(
        name: "restore-wal", summary: "hand a file of a WAL archive to a server, as its restore_command",
        options: [
            CommonOptions.help, CommonOptions.version, RestoreWALOptions.directory, RestoreWALOptions.diverged,
            RestoreWALOptions.onDoubt, RestoreWALOptions.retryTime, RestoreWALOptions.prefetch, CommonOptions.verbose,
        ],
        help: Help(
            about: """
                COMMAND hands a file of a WAL archive to a server in recovery, compressed or not. It is the server's
                restore_command.
                """,
            usage: ["COMMAND [OPTION]... FILE PATH"],
            sections: [
                .init(title: "The archive", options: [RestoreWALOptions.directory, RestoreWALOptions.diverged]),
                .init(
                    title: "If the archive cannot tell",
                    options: [RestoreWALOptions.onDoubt, RestoreWALOptions.retryTime]),
                .init(title: "Speed", options: [RestoreWALOptions.prefetch]),
                .init(
                    title: "What is said", options: [CommonOptions.verbose, CommonOptions.version, CommonOptions.help]),
            ],
            notes: """
                The exit status is 0 if the file is in its place, 1 if the archive does not have it, and 200 if it cannot tell: a directory is not there, a file is damaged or has a suffix that is not known, a
                segment is missing before newer ones, or there is no room.
                """,
            examples: [
                "restore_command = 'COMMAND -D /srv/wal %f %p'",
                "COMMAND -D /srv/wal 000000010000000000000003 /tmp/000000010000000000000003",
            ],
            statuses: [
                ManualEntry("0", "The file is in its place, on stable storage."),
                ManualEntry(
                    "1",
                    "The archive does not have it: a recovery ends there. Under a standby, and in a server that was told to become a primary, also if it cannot tell."
                ),
                ManualEntry(
                    "200",
                    "It cannot tell, or the command line cannot be read: a server in recovery stops, and can be started again."
                ),
            ],
            environment: [
                ManualEntry(
                    RestoreWALPlan.variable, "The archives, with colons between them, if --directory is not given.")
            ],
            files: [
                ManualEntry(
                    "understudy.ahead/",
                    "Beside the server's WAL, while it recovers: segments that were unpacked ahead.")
            ]),
        run: { program, words, _ in await program.restoreWAL(words) })
}
