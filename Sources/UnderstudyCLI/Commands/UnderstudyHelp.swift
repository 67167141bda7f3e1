/// The output of `understudy --help`.
enum UnderstudyHelp {
    static let text = """
        understudy copies running PostgreSQL servers over their replication protocol.

        Usage:
          understudy COMMAND [OPTION]...

        Commands:
          clone         turn a running primary into a standby, and start it if you like
          basebackup    take a base backup, with the options of pg_basebackup
          receivewal    receive WAL into an archive, with the options of pg_receivewal
          help COMMAND  show the help of a command

        Options:
          -V, --version  show the version, then exit
          -?, --help     show this help, then exit

        Called through a link named pg_basebackup, pg_receivewal or pg_receivexlog, it takes that program's place.

        Examples:
          understudy clone --primary "host=10.0.0.1 user=replicator" -D /srv/standby --slot standby1 --start
          understudy basebackup -h 10.0.0.1 -U replicator -D /srv/backup -P
          understudy receivewal -h 10.0.0.1 -U replicator -D /srv/wal --slot archive1 -Z zstd

        """
}
