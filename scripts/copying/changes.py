"""Copies that are made equal to the primary again: after changes, after a failover, after flipped bits."""
import os
import re

import check
import common
import load
from stage import Loss, Server, Stage

# What --delta compares, as one.
PIECE = 64 << 10
# The list of the files, the answers about pieces, the configuration.
BESIDES = 2 << 20
# What no copy has of the primary, or has anew.
OWN = re.compile(
    r"(^|/)(pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat|pg_stat_tmp|pg_subtrans|pgsql_tmp[^/]*)/"
    r"|(^|/)(pg_internal\.init|postmaster\.(pid|opts)|backup_label.*|backup_manifest|tablespace_map.*|.*\.signal|.*\.log"
    r"|postgresql\.auto\.conf|current_logfiles)$"
)


def prepare(options, home, stages):
    """A primary at rest, and a copy that was a standby and has ended."""
    stage = Stage(options, home, initdb=["--wal-segsize=1"])
    stages.append(stage)
    load.fill(stage)
    # Half of each page is free, for new versions of its rows.
    stage.primary.sql(
        f"CREATE TABLE content (n int, filler text) WITH (fillfactor = 45);\n"
        f"INSERT INTO content SELECT n, repeat(md5(n::text), 12) FROM generate_series(1, {options.scale * 15000}) n;\n"
        "VACUUM FREEZE"
    )
    stage.settle()
    stage.primary.sql("CHECKPOINT")
    stage.fresh_target()
    stage.wait(stage.copying("--slot", "copy"))
    stage.server_of_copy()
    stand_by(stage)
    stage.copy.stop("fast")
    return stage


def stand_by(stage):
    stage.start_copy()
    check.wait_for_stream(stage, stage.copy)
    check.wait_for_replay(stage, stage.copy)
    check.compare(stage.primary, stage.copy)


def run(options, home, stages):
    stage = prepare(options, home, stages)
    print("| changed | pieces that differ | received | answer | WAL |\n|---|---|---|---|---|", flush=True)
    for share in (0, 1, 10, 50):
        update(stage, stage.primary, share / 100)
        make_equal(stage, f"{share} %")
        stand_by(stage)
        stage.copy.stop("fast")
        stage.copy.call("pg_checksums", "--check", "-D", stage.target)
    fail_over(stage)
    return "0, 1, 10 and 50 % of changes, and a failover"


def update(stage, server, share):
    """Changes a share of the pages of the table, one beside the other, each in its place."""
    pages = int(server.sql("SELECT pg_relation_size('content') / 8192"))
    count = int(pages * share)
    first = stage.random.randrange(pages - count + 1)
    server.sql(
        f"UPDATE content SET n = n + 1 WHERE ctid >= '({first},0)' AND ctid < '({first + count},0)';\nCHECKPOINT"
    )


def make_equal(stage, what, source=None, old=None):
    """--delta into the target, or the directory of an old primary; no more than what differs may travel."""
    source = source or stage.primary
    expected = 0
    if old:
        expected += differing(source.data, old) + differing(stage.copied_spaces, stage.spaces)
    else:
        expected += differing(source.data, stage.target) + differing(stage.spaces, stage.copied_spaces)
    stage.traffic.take()
    stage.wait(stage.copying("--slot", "copy", "--delta", target=old))
    moved, wal = stage.traffic.take()
    limit = 1.05 * expected + BESIDES
    print(
        f"| {what} | {expected / 1e6:.2f} MB | {moved / 1e6:.2f} MB | {moved / limit:.2f} of what is allowed |"
        f" {wal / 1e6:.1f} MB |", flush=True,
    )
    if moved > limit:
        raise Loss(f"after {what} {moved} bytes came, and {expected} differ")


def fail_over(stage):
    """The copy takes over, the old primary goes on for a while, and then becomes its standby."""
    stand_by(stage)
    old, new = stage.primary, stage.copy
    new.call("pg_ctl", "-D", new.data, "-w", "-s", "promote")
    new.sql("SELECT pg_create_physical_replication_slot('copy')")
    update(stage, old, 0.02)
    update(stage, new, 0.03)
    old.stop(stage.random.choice(["fast", "immediate"]))
    stage.proxy.set(target_port=new.port)
    make_equal(stage, "a failover, 2 % there and 3 % here", source=new, old=old.data)
    # Each has the other's part now.
    stage.primary, stage.copy = new, Server(old.bin, old.home, old.data, common.free_port())
    with open(f"{old.data}/postgresql.auto.conf", "a") as conf:
        conf.write(f"port = {stage.copy.port}\n")
    stage.copy.start()
    check.wait_for_stream(stage, stage.copy)
    check.wait_for_replay(stage, stage.copy)
    check.compare(stage.primary, stage.copy)
    check.promote_and_look(stage, stage.copy)


# MARK: what differs


def files(root):
    """The paths of what a copy has of a server, below its directory."""
    found = set()
    for directory, _, names in os.walk(root):
        found |= {os.path.relpath(f"{directory}/{name}", root) for name in names}
    # Of an unlogged table only the init fork comes.
    unlogged = {path[: -len("_init")] for path in found if path.endswith("_init")}
    return {path for path in found if not OWN.search(path) and not is_part(path, unlogged)}


def is_part(path, unlogged):
    found = re.fullmatch(r"(.*/\d+)(_fsm|_vm)?(\.\d+)?", path)
    return bool(found) and found[1] in unlogged


def differing(source, copy):
    """How many bytes of the source lie in pieces that the copy has otherwise, or not at all."""
    count = 0
    for path in files(source):
        try:
            other = open(f"{copy}/{path}", "rb")
        except FileNotFoundError:
            count += os.path.getsize(f"{source}/{path}")
            continue
        with other, open(f"{source}/{path}", "rb") as own:
            while piece := own.read(PIECE):
                if other.read(PIECE) != piece:
                    count += len(piece)
    return count


# MARK: flipped bits


def run_flips(options, home, stages):
    stage = prepare(options, home, stages)
    rounds = options.rounds or 10
    for number in range(rounds):
        flipped = flip(stage, options.flips)
        make_equal(stage, f"{options.flips} flipped bits")
        for root, path in sorted(flipped):
            source = stage.primary.data if root == stage.target else stage.spaces
            with open(f"{source}/{path}", "rb") as theirs, open(f"{root}/{path}", "rb") as ours:
                if theirs.read() != ours.read():
                    raise Loss(f"a flipped bit stayed in {root}/{path}")
    stand_by(stage)
    check.promote_and_look(stage, stage.copy)
    return f"{rounds * options.flips} flipped bits found"


def flip(stage, count):
    """Flips bits of the copy in files that the primary has alike."""
    pairs = ((stage.target, stage.primary.data), (stage.copied_spaces, stage.spaces))
    # A standby writes pg_control itself.
    candidates = sorted(
        (root, path) for root, source in pairs for path in files(root)
        if path != "global/pg_control" and os.path.getsize(f"{root}/{path}") and os.path.exists(f"{source}/{path}")
        and re.search(r"(^|/)(base|global|pg_xact|pg_multixact|PG_\d+_\d+)/", path)
    )
    sizes = [os.path.getsize(f"{root}/{path}") for root, path in candidates]
    flipped = set()
    for number in range(count):
        # Every file is as likely, and every byte.
        weights = sizes if number % 2 else None
        root, path = stage.random.choices(candidates, weights)[0]
        with open(f"{root}/{path}", "r+b") as file:
            at = stage.random.randrange(os.path.getsize(f"{root}/{path}"))
            file.seek(at)
            (byte,) = file.read(1)
            file.seek(at)
            file.write(bytes([byte ^ 1 << stage.random.randrange(8)]))
        flipped.add((root, path))
    return flipped
