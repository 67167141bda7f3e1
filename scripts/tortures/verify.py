"""Restores from the archive as it lies, and looks for every commit that was acknowledged."""
import os
import pathlib
import re
import shutil
import subprocess
import time

import common
from basics import Loss, say
from session import Connection, Unacknowledged

# An archive larger than this gets a new base backup, and loses what lies before that.
LARGEST_ARCHIVE = 512 << 20

RESTORE = """#!/bin/sh
# NAME TARGET: the segment or history file from what the receiver left. A partial segment is better than none.
whole() {{
    case $1 in
    *.gz | *.gz.partial) gzip -dc <"$1" ;;
    *.lz4 | *.lz4.partial) lz4 -dc <"$1" ;;
    *.zst) zstd -dc <"$1" ;;
    # At the end of its input zstd keeps back what it has decoded of a frame that is not complete: an empty last block
    # brings it out.
    *.zst.partial) {{ cat "$1"; printf '\\001\\000\\000'; }} | zstd -dc ;;
    *) cat <"$1" ;;
    esac
}}
for file in {taken}/$1 {taken}/$1.gz {taken}/$1.lz4 {taken}/$1.zst; do
    if [ -f "$file" ]; then
        whole "$file" >"$2"
        exit
    fi
done
for file in {taken}/$1.partial {taken}/$1.gz.partial {taken}/$1.lz4.partial {taken}/$1.zst.partial; do
    if [ -f "$file" ]; then
        # A compressed one ends in the middle. The server wants the full size.
        whole "$file" >"$2" 2>/dev/null
        truncate -s {segment} "$2"
        exit
    fi
done
exit 1
"""


def verify(stage):
    """Primary and receiver are lost at this moment: what does the archive bring back?"""
    if stage.random.random() < 0.6:
        begin_anew(stage)
    stage.receiver.kill()
    stage.proxy.set(refuses=False, bytes_until_cut=None)
    # Nobody can acknowledge anything for it now. What is on its way was written before.
    stage.hold()
    stage.check(receiver_runs=False)
    restore_all(stage)
    stage.receiver.start()
    stage.resume()
    stage.wait_for_commits()
    renew_base(stage)


def begin_anew(stage):
    """Starts the receiver again and leaves it where one that writes its partial segment anew is weakest: without
    its server, or with a part of what it had before."""
    stage.receiver.kill()
    kind = stage.random.choice(["refuse", "cut inside", "nothing"])
    if kind == "refuse":
        stage.proxy.set(refuses=True)
    elif kind == "cut inside":
        stage.proxy.set(bytes_until_cut=stage.some_bytes())
    stage.receiver.start()
    stage.pause(0, 0.5)


def restore_all(stage, when=""):
    """The receiver is dead, and the load paused: all that was acknowledged comes back."""
    expected = stage.load.acknowledged()
    taken = f"{stage.home}/taken"
    stage.archive.take(taken)
    started = time.monotonic()
    found = restore(stage, taken)
    if missing := sorted(expected - found):
        raise Loss(f"{len(missing)} acknowledged commits are not in the archive{when}, the first is {missing[0]}")
    stage.counts["restores"] = stage.counts.get("restores", 0) + 1
    kept = sum(file.stat().st_size for file in os.scandir(taken))
    counts = ", ".join(f"{count} {what}" for what, count in stage.counts.items())
    say(
        f"{counts}: all {len(expected)} commits are there{when}; {len(os.listdir(taken))} files, {kept / 1e6:.0f} MB,"
        f" restored in {time.monotonic() - started:.1f} s"
    )
    shutil.rmtree(f"{stage.home}/restored")


def restore(stage, taken):
    """The numbers of the rows that come back."""
    data, port = f"{stage.home}/restored", common.free_port()
    subprocess.run(["cp", "-a", f"{stage.home}/base", data], check=True)
    script = f"{stage.home}/restore"
    with open(script, "w") as file:
        file.write(RESTORE.format(taken=taken, segment=stage.segment))
    os.chmod(script, 0o755)
    with open(f"{data}/postgresql.auto.conf", "a") as conf:
        conf.write(
            f"port = {port}\nsynchronous_standby_names = ''\nrestore_command = '{script} %f %p'\nhot_standby = off\n"
            "recovery_target_timeline = 'latest'\nfsync = off\nshared_buffers = 128MB\nmax_slot_wal_keep_size = -1\n"
        )
    pathlib.Path(f"{data}/recovery.signal").touch()
    log = f"{stage.home}/restored.log"
    with open(log, "w") as out:
        server = stage.restored_server = subprocess.Popen(
            [f"{stage.options.bin_dir}/postgres", "-D", data], stdout=out, stderr=out, cwd=stage.home,
            **common.become_postgres(),
        )
    deadline = time.monotonic() + 600
    while True:
        if server.poll() is not None:
            raise Loss(f"the restored server does not start: see {log}")
        if time.monotonic() > deadline:
            raise Loss(f"the restored server is not there after 10 minutes: see {log}")
        try:
            connection = Connection(stage.home, port)
            break
        except (OSError, Unacknowledged):
            time.sleep(0.1)
    try:
        found = {int(row) for row in connection.query("SELECT id FROM torture")}
    except Unacknowledged as trouble:
        raise Loss(f"the restored server cannot be read: {trouble}")
    connection.close()
    stage.end_restored_server()
    return found


def renew_base(stage):
    """Keeps an hour's archive, and the time that a restore of it takes, small."""
    if stage.archive.size() < LARGEST_ARCHIVE:
        return
    base, new = f"{stage.home}/base", f"{stage.home}/base.new"
    shutil.rmtree(new, ignore_errors=True)
    stage.back_up(new)
    stage.wait_for_receiver()
    shutil.rmtree(base)
    os.rename(new, base)
    label = open(f"{base}/backup_label").read()
    oldest = re.search(r"START WAL LOCATION: .*\(file ([0-9A-F]{24})\)", label)[1]
    stage.archive.prune(oldest)
    say(f"a new base backup; the archive begins with {oldest}, and has {stage.archive.size() / 1e6:.0f} MB")
