/// The output of `understudy clone --help`. A test checks that it has each option of the table.
enum CloneHelp {
    static let text = """
        understudy clone turns a running primary into a standby: a verified base backup, the WAL that belongs
        to it, a replication slot, the recovery settings of the server's version, and a start if you like.

        Usage:
          understudy clone --primary CONNSTR -D DIRECTORY [OPTION]...

        The primary:
          -d, --primary=CONNSTR      a connection string or URI
          -h, --primary-host=HOST    the host, or the directory of its socket
          -p, --primary-port=PORT    the port
          -U, --primary-user=ROLE    the role, which needs REPLICATION
          -w, --no-password          never ask for a password
          -W, --password             ask for a password before connecting

        The standby's files:
          -D, --pgdata=DIRECTORY     the data directory; made, or empty
          -T, --tablespace-mapping=OLDDIR=NEWDIR
                                     put the tablespace of OLDDIR into NEWDIR
              --waldir=DIRECTORY     put the WAL into DIRECTORY
              --owner=USER           whom the files belong to (for root)

        The standby's settings:
          -S, --slot=NAME            the slot that keeps WAL for the standby; made, or taken over if nobody
                                     uses it
              --no-slot              no slot, and no warning about that
              --passfile=FILE        write the password into FILE, not into the settings
              --port=PORT            the port that the standby listens on
              --config-file=FILE     the postgresql.conf to use, where it is not in the data directory
              --generate-config      make minimal configuration files where the copy has none

        The start:
              --start                start the standby, and wait until it streams
              --bin-dir=DIRECTORY    where pg_ctl is (default: the usual places)
              --wait=TIME            how long to wait, in s unless a unit follows (default: 60s)

        How the backup is taken:
          -c, --checkpoint=fast|spread
                                     begin with a checkpoint at once, or with one that is spread out to
                                     spare the primary (default: spread)
          -r, --max-rate=RATE        most kB per second that the primary sends, or with a suffix k or M
          -l, --label=LABEL          the backup's label
          -n, --no-clean             keep what was made when the clone fails
              --force-clean          first remove what an earlier run has left in the same place because it
                                     was killed, and nothing else
              --stall-timeout=TIME   give up when the primary is silent for so long, in s unless a unit
                                     follows (default: 5min; 0 for never)
          -N, --no-sync              do not wait until all is on stable storage
              --no-verify-checksums  let the primary send damaged pages unseen

        What is said:
              --progress=auto|none|plain|json
                                     how far it is: on the terminal, not at all, a line each second, or a
                                     JSON object each second on standard output (default: auto)
          -v, --verbose              show each step
          -V, --version              show the version, then exit
          -?, --help                 show this help, then exit

        -h, -p and -U beat the connection string; libpq's environment variables, service and password files
        work as with every other client.

        Examples:
          understudy clone --primary "host=10.0.0.1 user=replicator" -D /srv/standby --slot standby1
          understudy clone -h 10.0.0.1 -U replicator -D /srv/standby --slot standby1 -c fast --start

        """
}
