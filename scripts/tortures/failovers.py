"""A standby takes over, and the receiver goes on with it by itself."""
import os
import time

import common
import network
from basics import Loss, lsn, position, say
from events import write_wal
from servers import SLOT, Standby
from verify import restore_all


def fail_over(stage):
    """Either the primary is stopped in order, and the standby has all of it; or it is killed, and the standby has what
    was acknowledged, since commits waited for both. The receiver then has WAL that is in no history."""
    killed = stage.draw("stopped", "killed") == "killed"
    stage.servers += 1
    old, link = stage.primary, network.Proxy(stage.primary.port)
    link.start()
    stage.passing.append(link)
    standby = Standby(old, link.port, stage.servers)
    stage.passing.append(standby)
    standby.sql(SLOT)
    stage.eventually(
        lambda: old.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "2",
        "receiver and standby did not stream both",
    )
    if killed:
        lose(stage, old, link)
    elif not end(stage, old, standby):
        stage.passing.remove(standby)
        stage.passing.remove(link)
        standby.stop()
        link.stop()
        standby.remove()
        return
    standby.configure(synchronous_standby_names="torture")
    link.cut()
    promote(stage, standby)
    link.stop()
    stage.passing.remove(link)
    stage.passing.remove(standby)
    old.remove()
    examine(stage)
    stage.proxy.set(refuses=False, bytes_until_cut=None)
    stage.receiver.start()
    stage.receiver.supervised = True
    # A server that has just started may not know its synchronous standby yet.
    time.sleep(0.2)
    stage.resume()
    stage.wait_for_receiver()


def lose(stage, old, link):
    """Commits wait for both; then the standby hears no more, and the primary dies."""
    old.configure(synchronous_standby_names="2 (torture, standby)")
    stage.wait_for_synchronous("torture", "standby")
    # What was acknowledged before came from the receiver alone.
    stage.wait_for_commits()
    stage.eventually(
        lambda: old.sql(
            f"SELECT flush_lsn >= '{lsn(old.lsn())}' FROM pg_stat_replication WHERE application_name = 'standby'"
        ) == "t",
        "the standby did not catch up",
    )
    stage.pause(0, 0.5)
    link.set(stalled=True)
    if stage.random.random() < 0.5:
        # More than a segment of what the standby will never have.
        write_wal(old, stage.random.randrange(1, 3 * stage.options.segment_megabytes + 1))
    stage.pause(0, 0.5)
    stage.load.pause()
    stage.sampler.running.clear()
    stop_receiver_sometimes(stage)
    stage.proxy.set(refuses=True)
    old.stop()
    time.sleep(0.2)


def end(stage, old, standby):
    """False if the standby was not told all, which can be when it was not connected at that moment."""
    stage.hold()
    stage.sampler.running.clear()
    stage.wait_for_receiver()
    stop_receiver_sometimes(stage)
    old.stop_in_order()
    last = old.control("Latest checkpoint location")
    if standby.received() > position(last):
        stage.proxy.set(refuses=True)
        return True
    say(f"the standby does not have the old primary's last checkpoint, at {last}: no failover")
    old.start()
    stage.receiver.supervised = True
    stage.receiver.start()
    time.sleep(0.2)
    stage.resume()
    return False


def stop_receiver_sometimes(stage):
    stage.receiver.supervised = False
    if stage.random.random() < 0.3:
        stage.receiver.kill()


def promote(stage, standby):
    standby.promote()
    timeline, fork = standby.fork()
    stage.archive.forks[f"{timeline - 1:08X}"] = fork
    written, _ = stage.wire.forget(beyond=fork)
    stage.take_over(standby)
    say(f"timeline {timeline} begins at {lsn(fork)}; {lsn(written)} had been reported")


def examine(stage):
    """At once, before the new timeline has as much as the old one had, all that was acknowledged must be there."""
    kind = stage.draw("nothing new", "some bytes", "a segment removed", "all")
    if kind == "nothing new":
        # Tries to connect, and is refused.
        stage.receiver.start()
        stage.pause(0, 0.5)
    elif kind == "some bytes":
        stage.proxy.set(bytes_until_cut=stage.some_bytes())
        stage.proxy.set(refuses=False)
        stage.receiver.start()
        # It comes back after the cut, unless that has not come.
        deadline = time.monotonic() + stage.random.uniform(0.5, 2)
        while time.monotonic() < deadline and stage.proxy.bytes_until_cut is not None:
            time.sleep(0.005)
        stage.proxy.set(refuses=True)
    elif kind == "a segment removed":
        without_segment(stage)
        return
    else:
        stage.proxy.set(refuses=False)
        stage.receiver.supervised = True
        stage.receiver.start()
        stage.wait_for_receiver()
    kill_and_restore(stage, kind)


def without_segment(stage):
    """The new primary has no more the segment in which its timeline begins."""
    primary = stage.primary
    timeline, fork = primary.fork()
    name = stage.archive.name(f"{timeline:08X}", fork // stage.segment)
    primary.sql("SET synchronous_commit = local; CREATE TEMP TABLE t (); SELECT pg_switch_wal(); CHECKPOINT")
    path, aside = f"{primary.data}/pg_wal/{name}", f"{primary.home}/removed-by-the-server"
    os.rename(path, aside)
    stage.proxy.set(refuses=False)
    stage.receiver.start()
    deadline = time.monotonic() + stage.random.uniform(1, 3)
    while time.monotonic() < deadline and stage.receiver.status() is None:
        time.sleep(0.02)
    if stage.receiver.status() == 0:
        raise Loss(f"the server has removed {name}, and the receiver ended with success")
    stage.receiver.kill()
    os.rename(aside, path)
    kill_and_restore(stage, "a segment removed")


def kill_and_restore(stage, kind):
    stage.receiver.kill()
    stage.check(receiver_runs=False)
    restore_all(stage, f" after a failover ({kind})")
