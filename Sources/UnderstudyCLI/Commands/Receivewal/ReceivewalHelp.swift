/// The output of `--help`. A test checks that it has each option of the table.
enum ReceivewalHelp {
    static func text(for personality: Personality) -> String {
        let command = personality.receiveWALCommand
        return """
            \(command) receives the WAL of a running PostgreSQL server into a directory.

            Usage:
              \(command) [OPTION]... -D DIRECTORY
              \(command) [OPTION]... --create-slot --slot=NAME
              \(command) [OPTION]... --drop-slot --slot=NAME

            Where the WAL goes:
              -D, --directory=DIRECTORY  the directory of the WAL files, which must exist
              -Z, --compress=METHOD[:LEVEL]
                                         compress them: none, gzip (levels 1 to 9), lz4 (1 to
                                         12), zstd (1 to 22); a level alone is gzip's
                  --no-sync              do not wait until each is on stable storage
                  --synchronous          sync and acknowledge at once whatever has arrived, for
                                         a server that waits for it in its commits

            What is received:
              -S, --slot=NAME            the replication slot that keeps the WAL on the server
                  --recreate-slot        make the slot anew if the server has invalidated it or
                                         it is gone, note the WAL that is missing, and go on
                  --start-lsn=LSN        where to begin, unless the directory goes further
              -E, --endpos=LSN           stop, with success, when this position is passed
              -n, --no-loop              give up when the connection is lost; without it the
                                         connection is made again
              -r, --max-rate=RATE        most kB per second, or with a suffix k or M: from 32k
                                         to 1024M
                  --max-lag=SIZE         warn when the slot keeps more than SIZE bytes on the
                                         server, or with a unit kB, MB, GB or TB (0 for never)
                  --stall-timeout=TIME   give a connection up when the server is silent for so
                                         long, in s unless a unit follows (default: 5min; 0 for
                                         never)

            Instead of receiving:
                  --create-slot          make the slot that --slot names, then exit; it keeps
                                         WAL from its first use on
                  --if-not-exists        a slot of that name that is there already is no error
                  --drop-slot            drop the slot that --slot names, then exit

            What is said:
              -P, --progress             show how far it is
              -v, --verbose              show each step
              -V, --version              show the version, then exit
              -?, --help                 show this help, then exit

            The server:
              -d, --dbname=CONNSTR       a connection string or URI
              -h, --host=HOSTNAME        the host, or the directory of its socket
              -p, --port=PORT            the port
              -U, --username=NAME        the role, which needs REPLICATION
              -w, --no-password          never ask for a password
              -W, --password             ask for a password before connecting
              -s, --status-interval=SECONDS
                                         how often to tell the server the WAL position
                                         (default: 10; 0 for only when it moves or the server
                                         asks)

            -h, -p and -U beat the connection string; libpq's environment variables, service
            and password files work as with every other client.

            Examples:
              \(command) -h 10.0.0.1 -U replicator --create-slot --slot archive1
              \(command) -h 10.0.0.1 -U replicator -D /srv/wal -S archive1 -Z zstd -v
              \(command) -d "host=db1,db2 user=replicator target_session_attrs=primary" -D /srv/wal -P

            """
    }
}
