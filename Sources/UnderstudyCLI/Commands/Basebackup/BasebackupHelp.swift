/// The output of `--help`. A test checks that it has each option of the table.
enum BasebackupHelp {
    static func text(for personality: Personality) -> String {
        let command = personality.baseBackupCommand
        return """
            \(command) takes a base backup of a running PostgreSQL server.

            Usage:
              \(command) [OPTION]... -D DIRECTORY

            What the backup holds, and where it goes:
              -D, --pgdata=DIRECTORY     the directory to write; made, or empty
              -F, --format=p|t           plain files; tar is not supported yet
              -X, --wal-method=none|fetch|stream
                                         how the WAL that it needs gets into it: not at all,
                                         at its end, or while it runs (default: stream);
                                         --xlog-method is its older name
              -x, --xlog                 the same as -X fetch
              -R, --write-recovery-conf  write the settings of a standby of this server
              -T, --tablespace-mapping=OLDDIR=NEWDIR
                                         put the tablespace of OLDDIR into NEWDIR
                  --waldir=DIRECTORY     put the WAL into DIRECTORY (also: --xlogdir)
              -l, --label=LABEL          the backup's label

            How it is taken:
              -c, --checkpoint=fast|spread
                                         begin with a checkpoint at once, or with one that is
                                         spread out to spare the server (default: spread)
              -r, --max-rate=RATE        most kB per second that the server sends, or with a
                                         suffix k or M: from 32k to 1024M
              -S, --slot=NAME            the replication slot of the WAL stream
              -C, --create-slot          make that slot
                  --no-slot              no temporary slot either
              -n, --no-clean             keep what was made when the backup fails
                  --force-clean          first remove what an earlier run has left in the same
                                         place because it was killed, and nothing else
                  --stall-timeout=TIME   give up when the server is silent for so long, in s
                                         unless a unit follows (default: 5min; 0 for never)
              -N, --no-sync              do not wait until all is on stable storage
                  --sync-method=fsync|syncfs
                                         sync each file, or the file systems as a whole
                                         (default: what the file system is good for)
                  --no-verify-checksums  let the server send damaged pages unseen
                  --manifest-checksums=NONE|CRC32C|SHA224|SHA256|SHA384|SHA512
                                         the checksums of the manifest (default: CRC32C)
                  --manifest-force-encode
                                         hex-encode all file names in the manifest
                  --no-manifest          no manifest, and so no verification on arrival
                  --no-estimate-size     do not let the server estimate the size

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
                                         (default: 10; 0 for only when it asks)

            Recognized, but not supported yet:
              -i, --incremental=MANIFEST
              -t, --target=TARGET[:DETAIL]
              -z, --gzip
              -Z, --compress=METHOD[:DETAIL]

            -h, -p and -U beat the connection string; libpq's environment variables, service
            and password files work as with every other client.

            Examples:
              \(command) -h 10.0.0.1 -U replicator -D /srv/backup -c fast -P
              \(command) -d "host=10.0.0.1 user=replicator" -R -S standby1 -C -D /srv/standby

            """
    }
}
