"""Copies that are killed at random moments, and resumed."""
import os
import signal
import time

import check
import common
import load
from stage import Loss, Stage, eventually

MEGABYTE = 1e6


def run(options, home, stages):
    stage = Stage(options, home, initdb=["--wal-segsize=1"])
    stages.append(stage)
    load.fill(stage)
    stage.settle()
    rounds = options.rounds or 50
    fresh, seconds = take_fresh(stage)
    # What the databases had then: changes make them larger.
    size = databases_size(stage)
    print(f"A copy takes {seconds:.1f} s and {fresh / MEGABYTE:.1f} MB.\n")
    print("| | killed | received by then | kept | received again | of a fresh copy | WAL |")
    print("|---|---|---|---|---|---|---|", flush=True)
    sums = [0, 0]
    for number in range(rounds):
        stage.fresh_target()
        how, received = kill_some(stage, number, fresh, seconds)
        kept = kept_bytes(stage)
        changed = change(stage) if stage.random.random() < 0.3 else ""
        stage.traffic.take()
        stage.wait(stage.copying(*options_of(number), *resumes(stage)))
        moved, wal = stage.traffic.take()
        print(
            f"| {number + 1} | {', '.join(how)}{changed} | {received / MEGABYTE:.1f} MB | {kept / MEGABYTE:.1f} MB |"
            f" {moved / MEGABYTE:.1f} MB | {moved / fresh:.2f} | {wal / MEGABYTE:.1f} MB |", flush=True,
        )
        most = fresh + databases_size(stage) - size
        if moved > 1.05 * most + 2 * MEGABYTE:
            raise Loss(f"a resumed copy received {moved} bytes, a fresh one would some {most}")
        sums = [sums[0] + moved, sums[1] + received]
        look(stage)
    return (
        f"{rounds} copies, killed after {sums[1] / rounds / fresh:.2f} of a fresh one's bytes and resumed with"
        f" {sums[0] / rounds / fresh:.2f} of them, in the mean"
    )


def databases_size(stage):
    return int(stage.primary.sql("SELECT sum(pg_database_size(oid)) FROM pg_database"))


def options_of(number):
    return ["--slot", f"copy{number}", "--keep-partial"]


def resumes(stage):
    """What asks for it, unless the first one was killed before it had begun anything."""
    return ["--resume"] if os.path.isdir(stage.target) and os.listdir(stage.target) else []


def take_fresh(stage):
    """The bytes and the seconds of a copy that is not killed."""
    stage.fresh_target()
    stage.traffic.take()
    begin = time.monotonic()
    stage.wait(stage.copying(*options_of("")))
    seconds = time.monotonic() - begin
    bytes_moved, _ = stage.traffic.take()
    look(stage)
    return bytes_moved, seconds


def look(stage):
    check.verify_files(stage)
    stage.start_copy()
    check.wait_for_stream(stage, stage.copy)
    check.wait_for_replay(stage, stage.copy)
    check.compare(stage.primary, stage.copy)
    check.promote_and_look(stage, stage.copy)
    stage.primary.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")


def kill_some(stage, number, fresh, seconds):
    """Kills a copy, and now and then the one that resumes it, too; how, and what all received."""
    how, received = [], 0
    while True:
        killed, moved = kill(stage, [*options_of(number), *resumes(stage)], fresh, seconds)
        if killed is None:
            # It was over before.
            stage.fresh_target()
            stage.primary.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")
            how, received = [], 0
            continue
        how.append(killed)
        received += moved
        if stage.random.random() < 0.75:
            return how, received


def kill(stage, options, fresh, seconds):
    """How it was killed, or None if it came to its end; and the bytes that it had received."""
    number = stage.random.choice([signal.SIGKILL] * 3 + [signal.SIGTERM, signal.SIGINT])
    stage.traffic.take()
    child = stage.copying(*options)
    if stage.random.random() < 0.7:
        share = stage.random.random()
        moment = f"at {share:.0%}"
        while child.poll() is None and stage.traffic.ordinary < share * fresh:
            time.sleep(0.0005)
    else:
        # Also before the first byte and after the last one.
        delay = stage.random.uniform(0, 1.1 * seconds)
        moment = f"after {delay:.2f} s"
        end = time.monotonic() + delay
        while child.poll() is None and time.monotonic() < end:
            time.sleep(0.0005)
    if child.poll() is None:
        stage.signal(child, number)
    try:
        status = child.wait(60)
    except Exception:
        raise Loss(f"{number.name} {moment} did not end the program:\n{stage.said()[-2000:]}")
    if status == 0:
        return None, 0
    # The status is what unshare(1) makes of it.
    if number == signal.SIGKILL and "error: " in stage.said():
        raise Loss(f"the program ended with {status} before it was killed:\n{stage.said()[-3000:]}")
    # The slot of the copy, as long as the server has not noticed.
    eventually(
        lambda: stage.primary.is_true("count(*) = 0 FROM pg_stat_replication"), "the server does not notice that the copy is dead"
    )
    return f"{number.name} {moment}", stage.traffic.take()[0]


def kept_bytes(stage):
    """What the killed copy has left in files."""
    kept = 0
    for place in (stage.target, stage.copied_spaces):
        for directory, _, names in os.walk(place):
            kept += sum(os.stat(f"{directory}/{name}").st_blocks * 512 for name in names if "pg_wal" not in directory)
    return kept


def change(stage):
    """The primary goes on meanwhile."""
    stage.primary.call("pgbench", "-n", "-t", "200", *stage.primary.connection()[:-2], "postgres")
    stage.primary.sql(
        "VACUUM FULL rewritten;\nDROP TABLE IF EXISTS fresh;\nCREATE TABLE fresh AS SELECT * FROM moved;\n"
        "TRUNCATE large;\nINSERT INTO large SELECT n, repeat('z', 1900) FROM generate_series(1, 9000) n"
    )
    return ", and the primary changed"
