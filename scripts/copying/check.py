"""Whether a copy is what it should be: files, start, contents, indexes, page checksums."""
import hashlib
import subprocess

from stage import Loss, eventually

# A sequence is ahead on a standby; what is not logged is not there.
TABLES = """
SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'm', 't') AND relpersistence = 'p'
    AND (nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema') OR relname IN ('pg_class', 'pg_attribute',
        'pg_database', 'pg_tablespace', 'pg_depend', 'pg_index'))
ORDER BY 1
"""
# Each transaction of pgbench adds the same to one row of each.
BALANCES = (
    "(SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(tbalance) FROM pgbench_tellers)"
    " AND (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(bbalance) FROM pgbench_branches)"
    " AND (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT coalesce(sum(delta), 0) FROM pgbench_history)"
)


def verify_files(stage):
    """Before the server has changed anything."""
    stage.server_of_copy().call("pg_verifybackup", stage.target)


def wait_for_stream(stage, copy):
    eventually(lambda: copy.is_true("count(*) > 0 FROM pg_stat_wal_receiver WHERE status = 'streaming'"), "the copy does not stream")


def wait_for_replay(stage, copy):
    stage.settle()
    end = stage.primary.sql("SELECT pg_current_wal_insert_lsn()")
    eventually(lambda: copy.is_true(f"pg_last_wal_replay_lsn() >= '{end}'"), f"the copy does not get to {end}")


def databases(server):
    return server.sql("SELECT datname FROM pg_database WHERE datallowconn ORDER BY 1").splitlines()


def digests(server):
    """SHA-256 of each table's rows, with their places, in their order."""
    found = {}
    for database in databases(server):
        names = server.call("psql", "-XAtq", *server.connection(database), text=TABLES).splitlines()
        for name in names:
            # Without the setting a scan begins where another one is.
            copy = f"COPY (SELECT ctid, rows.* FROM ONLY {name} AS rows) TO STDOUT"
            shell = server.open(
                "psql", "-XAtq", *server.connection(database), "-c", "SET synchronize_seqscans = off", "-c",
                "SET max_parallel_workers_per_gather = 0", "-c", copy, stdout=subprocess.PIPE,
            )
            digest = hashlib.sha256()
            while data := shell.stdout.read(1 << 20):
                digest.update(data)
            if shell.wait() != 0:
                raise Loss(f"table {name} of database {database} cannot be read")
            found[f"{database}.{name}"] = digest.hexdigest()
    return found


def compare(primary, copy):
    """The number of tables, all of which are equal."""
    ours, theirs = digests(copy), digests(primary)
    different = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    if different:
        raise Loss(f"{len(different)} of {len(theirs)} tables differ: {', '.join(different[:10])}")
    if not copy.is_true(BALANCES):
        raise Loss("the sums of pgbench's tables differ")
    return len(ours)


def promote_and_look(stage, copy):
    """Makes a server of the copy that may write, has it look at all tables and indexes, and at all pages."""
    copy.call("pg_ctl", "-D", copy.data, "-w", "-s", "-t", "120", "promote")
    eventually(lambda: copy.is_true("NOT pg_is_in_recovery()"), "the copy was not promoted")
    look(stage, copy)


def look(stage, copy):
    unlogged = "SELECT oid::regclass FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'"
    for name in copy.sql(unlogged).splitlines():
        if not copy.is_true(f"count(*) = 0 FROM {name}"):
            raise Loss(f"the unlogged table {name} came with rows")
    if not copy.is_true(BALANCES):
        raise Loss("the sums of pgbench's tables differ")
    where = copy.connection()[:-2]
    done = subprocess.run(
        [f"{copy.bin}/pg_amcheck", "--all", "--install-missing", "--heapallindexed", "--parent-check", *where],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    findings = [line for line in done.stdout.splitlines() if "already exists, skipping" not in line]
    if done.returncode != 0 or findings:
        raise Loss("\n".join(["pg_amcheck is not content:", *findings[:30]]))
    copy.stop("fast")
    copy.call("pg_checksums", "--check", "-D", copy.data)
    stage.copy = None
