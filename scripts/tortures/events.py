"""Kills, cuts, bulk loads, and files that are taken away."""
import math
import os
import re
import shutil
import threading
import time

import common
from basics import Loss, MEGABYTE, lsn
from session import Connection, Unacknowledged
from stage import is_stock


def kill_receiver(stage):
    stage.receiver.kill()
    # Who is dead renames nothing.
    stage.check(receiver_runs=False)
    if stage.random.random() < 0.3:
        stage.pause(0, 1)
    stage.receiver.start()


def kill_server(stage):
    stage.load.pause()
    stage.primary.stop()
    if stage.random.random() < 0.3:
        stage.pause(0, 1)
    stage.primary.start()
    # A server that has just started may let commits pass before its checkpointer knows the synchronous standby
    # (mended in 2025): they would be no loss of the receiver's.
    time.sleep(0.2)
    stage.resume()


def disturb(stage):
    kind = stage.draw("cut", "cut inside", "half", "stall", "stall and cut", "delay", "refuse")
    if kind == "cut":
        stage.proxy.cut()
    elif kind == "cut inside":
        stage.proxy.set(bytes_until_cut=stage.some_bytes())
    elif kind == "half":
        stage.proxy.cut("client")
    elif kind.startswith("stall"):
        stage.proxy.set(stalled=True)
        stage.pause(0.2, 3)
        if kind == "stall and cut":
            stage.proxy.cut()
        stage.proxy.set(stalled=False)
    elif kind == "delay":
        stage.proxy.set(delay=stage.random.uniform(0.01, 0.2))
        stage.pause(0.5, 3)
        stage.proxy.set(delay=0.0)
    else:
        stage.proxy.set(refuses=True)
        stage.proxy.cut()
        stage.pause(0.1, 2)
        stage.proxy.set(refuses=False)


def burst(stage):
    """Bulk loads, and checkpoints in the pauses between them, which remove all WAL that the slot does not hold: that of
    a receiver that has everything must not be lost, nor go back."""
    # A commit after the bulk load would correct what was reported last.
    if stage.draw("nothing else", "commits go on", "nothing else") == "nothing else":
        stage.hold()
    for load in range(stage.random.randrange(1, 4)):
        # Small ones are more frequent.
        largest = math.log(stage.options.burst_megabytes)
        megabytes = round(math.exp(stage.random.triangular(0, largest, largest)))
        writer = threading.Thread(target=write_wal, args=(stage.primary, megabytes))
        writer.start()
        if load == 0 and stage.random.random() < 0.3:
            stage.pause(0, 0.5)
            stage.draw(kill_receiver, disturb)(stage)
        writer.join()
        stage.wait_for_receiver()
        # While the server has it.
        stage.check()
        stage.primary.configure(wal_keep_size="0", max_slot_wal_keep_size="32MB")
        stage.pause(0, 3)
        stage.primary.sql("CHECKPOINT")
        stage.pause(0, 1)
        stage.check()
        # A receiver that is killed for a while may be farther behind.
        stage.primary.configure(wal_keep_size="256MB", max_slot_wal_keep_size="-1")
    stage.resume()


def write_wal(primary, megabytes):
    """Waits for nobody."""
    connection = None
    try:
        connection = Connection(primary.home, primary.port)
        connection.query("SET synchronous_commit = local")
        connection.query(
            "SELECT count(pg_logical_emit_message(true, 'torture', repeat(md5(random()::text), 32768)))"
            f" FROM generate_series(1, {megabytes})"
        )
    except (OSError, Unacknowledged) as trouble:
        common.fail(f"the bulk load failed: {trouble}")
    finally:
        if connection:
            connection.close()


def take_file_away(stage):
    """Takes the partial segment away from a receiver that writes it. It must not pass the segment's end: it ends with
    an error that says so. The server still has that WAL, so a new start makes the archive whole."""
    kind = stage.draw("removed", "renamed", "replaced by a copy", "replaced by zeros", "replaced by an older one")
    aside = f"{stage.home}/taken-away"
    # One that has not opened the file yet may take whatever has the name, since it writes all of it.
    stage.wire.forget()
    stage.wait_for_receiver()
    stage.receiver.supervised = False
    log_begin = stage.receiver.log_end()
    while True:
        stage.eventually(lambda: stage.archive.newest_partial(), "there was no partial segment")
        file, timeline, number = stage.archive.newest_partial()
        path = f"{stage.archive.path}/{file}"
        try:
            os.rename(path, aside)
            break
        except FileNotFoundError:
            # It was complete in this moment.
            pass
    if kind.startswith("replaced"):
        replace(kind, aside, path)
    end = (number + 1) * stage.segment
    before = stage.wire.forget()
    # The segment comes to its end. What was acknowledged of it lies on the server, too, which is not killed meanwhile.
    write_wal(stage.primary, 2 * stage.options.segment_megabytes)
    stage.eventually(
        lambda: stage.receiver.status() is not None or stage.wire.flushed > end,
        f"{file} was {kind}, and the receiver neither ended nor went on",
    )
    expect_refusal(stage, f"{file} was {kind}, and ", stage.archive.name(timeline, number), end, log_begin)
    # As its words say.
    for one in (aside, path):
        if os.path.exists(one):
            os.unlink(one)
    # What was acknowledged of the segment is in the server alone for now.
    stage.wire.forget()
    stage.receiver.start()
    stage.receiver.supervised = True
    stage.wait_for_receiver(max(*before, stage.primary.lsn()))


def expect_refusal(stage, what, name, end, log_begin):
    complete = f"{name}{stage.archive.suffix}"
    if os.path.exists(f"{stage.archive.path}/{complete}"):
        theirs = stage.archive.server_content(name)
        if theirs is not None and stage.archive.content(complete) != theirs:
            raise Loss(f"{what}{complete} is not the server's")
        # It connected again meanwhile, and wrote all of the segment anew.
        return
    if stage.wire.flushed > end:
        raise Loss(f"{what}{lsn(stage.wire.flushed)} was acknowledged: beyond its end, {lsn(end)}")
    if stage.receiver.status() == 0:
        raise Loss(f"{what}the receiver ended with success")
    said = stage.receiver.said_since(log_begin)
    if not is_stock(stage.program) and not re.search(rf"error: .*{re.escape(name)}.*was removed or replaced", said):
        raise Loss(f"{what}the receiver did not say so")


def replace(kind, aside, path):
    size = os.path.getsize(aside)
    if kind == "replaced by a copy":
        shutil.copy(aside, path)
    else:
        with open(path, "wb") as file:
            file.write(bytes(size))
        if kind == "replaced by an older one":
            with open(aside, "rb") as old, open(path, "r+b") as new:
                new.write(old.read(size // 2))
    common.give_to_postgres(path)
