"""What makes, grows, cuts, moves and removes files of the primary, in sessions of their own."""
import collections
import fcntl
import os
import random
import re
import signal
import subprocess
import threading

import common


# What a primary may hold, with the WAL that a slow copy has not taken yet, before the load waits.
MOST_BYTES = 2 << 30


class Worker(threading.Thread):
    """Gives a psql one statement after the other, until it is ended."""

    def __init__(self, primary, kind, statements, may_run):
        super().__init__(daemon=True)
        self.kind, self.statements, self.may_run, self.ended = kind, statements, may_run, False
        self.log = f"{primary.home}/load.{kind}"
        with open(self.log, "w") as out:
            self.shell = primary.open(
                "psql", "-X", *primary.connection(), stdin=subprocess.PIPE, stdout=out, stderr=out, text=True
            )
        # Few statements are ahead.
        fcntl.fcntl(self.shell.stdin, fcntl.F_SETPIPE_SZ, 4096)

    def run(self):
        try:
            for statement in self.statements:
                self.may_run.wait()
                if self.ended:
                    break
                self.shell.stdin.write(statement + ";\n")
                self.shell.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass

    def end(self):
        self.ended = True
        self.shell.kill()
        self.shell.wait()
        self.may_run.set()
        self.join()

    def done(self):
        """How many statements of each kind succeeded, and what the others said."""
        text = open(self.log, errors="replace").read()
        tags = collections.Counter(re.findall(r"^((?:CREATE|DROP|ALTER|VACUUM|CLUSTER|REINDEX|TRUNCATE|CHECKPOINT)[A-Z ]*)$", text, re.M))
        return tags, re.findall(r"^(?:psql:.*)?(?:ERROR|FATAL|PANIC): .*$", text, re.M)


class Load:
    def __init__(self, stage, seed):
        self.primary, version = stage.primary, stage.primary.version()
        places = [f"{stage.spaces}/{place}" for place in stage.places()]
        kinds = {
            "relations": relations, "rewrites": rewrites, "large": large, "unlogged": unlogged, "temporary": temporary,
            "databases": lambda chance: databases(chance, version), "checkpoints": checkpoints,
            "tablespaces": lambda chance: tablespaces(chance, places),
        }
        self.may_run, self.ended = threading.Event(), threading.Event()
        self.may_run.set()
        self.workers = [
            Worker(self.primary, kind, make(random.Random(f"{seed} {kind}")), self.may_run) for kind, make in kinds.items()
        ]
        for worker in self.workers:
            worker.start()
        self.bench = self.primary.open(
            "pgbench", "-n", "-c", "3", "-T", "100000", *self.primary.connection()[:-2], "postgres",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self.governor = threading.Thread(target=self.govern, daemon=True)
        self.governor.start()

    def govern(self):
        """Has the load wait while the primary is too large."""
        while not self.ended.wait(1):
            is_large = size(self.primary.data) > MOST_BYTES
            if is_large == self.may_run.is_set():
                self.may_run.clear() if is_large else self.may_run.set()
                self.bench.send_signal(signal.SIGSTOP if is_large else signal.SIGCONT)

    def end(self):
        """Ends all sessions; returns what they did, and the errors."""
        self.ended.set()
        self.governor.join()
        self.bench.kill()
        self.bench.wait()
        tags, errors = collections.Counter(), []
        for worker in self.workers:
            worker.end()
            some, trouble = worker.done()
            tags += some
            errors += [f"{worker.kind}: {text}" for text in trouble]
        return tags, errors


def size(root):
    total = 0
    for directory, _, names in os.walk(root):
        for name in names:
            try:
                total += os.lstat(f"{directory}/{name}").st_size
            except FileNotFoundError:
                pass
    return total


def fill(stage):
    """What the load works on. Nobody may change a database that is copied during a backup, so these are frozen."""
    primary = stage.primary
    primary.sql("CREATE EXTENSION amcheck")
    primary.call("pgbench", "-i", "-q", "-s", str(stage.options.scale), *primary.connection()[:-2], "postgres")
    place = f"{stage.spaces}/place0" if stage.can_mount else ""
    for name, location in (("settled", place), ("inside", "")):
        primary.sql(f"CREATE TABLESPACE {name} LOCATION '{location}'")
    primary.sql(
        "CREATE TABLE rewritten AS SELECT n, repeat('x', 500) AS filler FROM generate_series(1, 20000) n;"
        "CREATE UNIQUE INDEX rewritten_n ON rewritten (n);"
        "CREATE TABLE elsewhere TABLESPACE settled AS SELECT n, repeat('e', 300) AS filler FROM generate_series(1, 30000) n;"
        "CREATE TABLE within TABLESPACE inside AS SELECT n, repeat('w', 300) AS filler FROM generate_series(1, 30000) n;"
        "CREATE TABLE large (n int, filler text); CREATE TABLE moved AS SELECT * FROM rewritten LIMIT 8000;"
        "CREATE UNLOGGED TABLE forgotten AS SELECT n FROM generate_series(1, 50000) n"
    )
    primary.sql("CREATE DATABASE filled")
    primary.call(
        "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *primary.connection("filled"),
        text="CREATE EXTENSION amcheck; CREATE TABLE kept AS SELECT n, md5(n::text) FROM generate_series(1, 20000) n;"
        "CREATE INDEX ON kept (md5); CREATE TABLE big AS SELECT n, repeat('b', 800) AS b FROM generate_series(1, 8000) n",
    )
    primary.call("vacuumdb", "-a", "-F", "-q", *primary.connection()[:-2])
    primary.sql("CHECKPOINT")


LEFTOVERS = r"""
SELECT 'DROP DATABASE ' || datname FROM pg_database WHERE datname LIKE 'copied%' \gexec
ALTER TABLE moved SET TABLESPACE pg_default;
SELECT 'DROP TABLE ' || oid::regclass FROM pg_class WHERE relkind = 'r' AND relname ~ '^(in_made|unlogged|grown)' \gexec
CHECKPOINT;
SELECT 'DROP TABLESPACE ' || spcname FROM pg_tablespace WHERE spcname LIKE 'made%' \gexec
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active;
"""


def clear(stage):
    """Removes what a load that was ended has left, so that the next one can begin."""
    stage.primary.sql(LEFTOVERS)
    stage.unsettle()


# MARK: the kinds: endless, one statement each


def relations(chance):
    number = 0
    while True:
        number += 1
        name = f"grown{number % 4}"
        yield f"CREATE TABLE IF NOT EXISTS {name} (n int, filler text)"
        yield (
            f"INSERT INTO {name} SELECT n, repeat('y', {chance.randrange(50, 900)})"
            f" FROM generate_series(1, {chance.randrange(500, 20000)}) n"
        )
        if chance.random() < 0.3:
            yield f"CREATE INDEX ON {name} (n)"
        end = chance.randrange(4)
        if end == 0:
            yield f"DELETE FROM {name} WHERE n > {chance.randrange(1, 500)}"
            # Cuts off the empty end.
            yield f"VACUUM {name}"
        elif end == 1:
            yield f"TRUNCATE {name}"
        elif end == 2:
            yield f"DROP TABLE {name}"


def large(chance):
    """A file of several pieces that grows by half and shrinks to a part of a piece."""
    while True:
        yield (
            f"INSERT INTO large SELECT n, repeat('z', 1900) FROM generate_series(1, {chance.randrange(6000, 15000)}) n"
        )
        if chance.random() < 0.5:
            yield f"DELETE FROM large WHERE n > {chance.randrange(1, 4000)}"
            yield "VACUUM large"
        elif chance.random() < 0.6:
            yield "TRUNCATE large"


def rewrites(chance):
    while True:
        yield f"UPDATE rewritten SET filler = repeat('x', {chance.randrange(100, 500)}) WHERE n % 3 = {chance.randrange(3)}"
        yield chance.choice(
            ["VACUUM FULL rewritten", "CLUSTER rewritten USING rewritten_n", "REINDEX TABLE rewritten", "VACUUM rewritten",
             "VACUUM FULL pg_class", "UPDATE elsewhere SET n = n + 1 WHERE n % 7 = 0", "VACUUM FULL elsewhere",
             "UPDATE within SET n = n + 1 WHERE n % 7 = 0", "VACUUM FULL within"]
        )


def databases(chance, version):
    number, there = 0, []
    while True:
        number += 1
        name = f"copied{number}"
        template = chance.choice(["filled", "template1"])
        strategy = f" STRATEGY {chance.choice(['file_copy', 'wal_log'])}" if version >= 15 else ""
        space = chance.choice(["", "", " TABLESPACE settled", " TABLESPACE inside"])
        yield f"CREATE DATABASE {name} TEMPLATE {template}{strategy}{space}"
        there.append(name)
        if chance.random() < 0.4:
            yield f"\\connect {name}\nCREATE TABLE more AS SELECT n FROM generate_series(1, 5000) n;\n\\connect postgres\nSELECT 1"
        if chance.random() < 0.3:
            yield f"ALTER DATABASE {name} SET TABLESPACE {chance.choice(['settled', 'inside', 'pg_default'])}"
        while len(there) > 2 or there and chance.random() < 0.3:
            yield f"DROP DATABASE {there.pop(0)}"


def tablespaces(chance, places):
    number = 0
    while True:
        number += 1
        name, place = f"made{number}", ""
        # The first place is a tablespace's that stays.
        if places and chance.random() < 0.6:
            place = chance.choice(places[1:])
        yield f"CREATE TABLESPACE {name} LOCATION '{place}'"
        yield f"CREATE TABLE in_{name} TABLESPACE {name} AS SELECT n, repeat('t', 200) AS filler FROM generate_series(1, 5000) n"
        yield f"ALTER TABLE moved SET TABLESPACE {name}"
        if chance.random() < 0.5:
            yield f"DELETE FROM in_{name} WHERE n > 50"
            yield f"VACUUM in_{name}"
        yield f"ALTER TABLE moved SET TABLESPACE {chance.choice(['pg_default', 'settled', 'inside'])}"
        yield f"DROP TABLE in_{name}"
        yield f"DROP TABLESPACE {name}"


def unlogged(chance):
    number = 0
    while True:
        number += 1
        name = f"unlogged{number % 3}"
        yield f"CREATE UNLOGGED TABLE {name} AS SELECT n, repeat('u', 300) AS u FROM generate_series(1, {chance.randrange(100, 9000)}) n"
        yield f"CREATE INDEX ON {name} (n)"
        if chance.random() < 0.3:
            yield f"ALTER TABLE {name} SET LOGGED"
        if chance.random() < 0.3:
            yield f"ALTER TABLE {name} SET UNLOGGED"
        if chance.random() < 0.9 or number % 3 == 0:
            yield f"DROP TABLE {name}"
        else:
            yield f"ALTER TABLE {name} RENAME TO {name}_{number}"


def temporary(chance):
    yield "SET work_mem = '64kB'"
    number = 0
    while True:
        number += 1
        yield f"CREATE TEMPORARY TABLE fleeting{number} AS SELECT n, repeat('f', 300) AS f FROM generate_series(1, 5000) n"
        # Sorts in files.
        yield f"SELECT count(*) FROM (SELECT f || n FROM fleeting{number} ORDER BY 1 DESC OFFSET 10) AS sorted"
        if chance.random() < 0.7:
            yield f"DROP TABLE fleeting{number}"
        if chance.random() < 0.2:
            # A session that ends takes its files with it.
            yield "\\connect postgres\nSET work_mem = '64kB'"


def checkpoints(chance):
    while True:
        yield "CHECKPOINT"
        yield f"SELECT pg_sleep({chance.uniform(0.02, 0.5):.2f})"
        if chance.random() < 0.3:
            yield "SELECT pg_switch_wal()"
