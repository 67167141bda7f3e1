"""An older state of the primary is put back: same system identifier, same timeline, and another life."""
import os
import shutil
import subprocess
import time

from basics import Loss, lsn
from events import write_wal


def put_back(stage):
    """The receiver must refuse the server, whether that is behind the archive or has passed its end; the archive stays
    as it was. Then the true server comes back."""
    kind = stage.draw("behind", "passed while away", "behind, with the receiver running")
    primary = stage.primary
    snapshot, true = f"{stage.home}/snapshot", f"{stage.home}/true"
    stage.hold()
    stage.wait_for_receiver()
    stage.sampler.running.clear()
    primary.stop_in_order()
    subprocess.run(["cp", "-a", "--reflink=auto", primary.data, snapshot], check=True)
    primary.start()
    time.sleep(0.2)
    stage.resume()
    stage.wait_for_commits()
    if stage.random.random() < 0.5:
        write_wal(primary, stage.random.randrange(1, 3 * stage.options.segment_megabytes + 1))
    stage.pause(0, 1)
    stage.hold()
    stage.sampler.running.clear()
    stage.wait_for_receiver()
    stage.receiver.supervised = False
    runs = kind.endswith("running")
    primary.stop_in_order()
    if not runs:
        stage.receiver.kill()
    stage.proxy.set(refuses=True)
    stage.proxy.cut()
    stage.check(receiver_runs=False)
    os.rename(primary.data, true)
    os.rename(snapshot, primary.data)
    primary.start()
    try:
        refuse(stage, kind)
    finally:
        primary.stop()
    shutil.rmtree(primary.data)
    os.rename(true, primary.data)
    primary.start()
    time.sleep(0.2)
    stage.receiver.supervised = True
    stage.receiver.start()
    stage.resume()
    stage.wait_for_receiver()


def refuse(stage, kind):
    primary, taken = stage.primary, stage.archive.digest()
    end = stage.wire.flushed
    common_end = primary.lsn()
    if kind.startswith("passed"):
        while primary.lsn() <= end + stage.segment:
            write_wal(primary, stage.random.randrange(1, 4) * stage.options.segment_megabytes)
    begin = stage.receiver.log_end()
    reported = stage.wire.forget()
    stage.proxy.set(refuses=False)
    stage.receiver.start()
    try:
        status = stage.receiver.wait_for_end("the receiver did not refuse it", 30)
    except Loss as loss:
        written, changed = stage.wire.written, differences(taken, stage.archive.digest())
        raise Loss(
            f"a snapshot of the server was put back ({kind}): {loss}; the archive ends at {lsn(end)}; reported"
            f" {lsn(written)}; changed: {', '.join(changed) or 'nothing'}"
        )
    stage.check_reports()
    where = f"a snapshot of the server was put back ({kind}), "
    if status == 0:
        raise Loss(f"{where}and the receiver ended with success")
    if stage.wire.written > common_end:
        raise Loss(f"{where}with WAL up to {lsn(common_end)} in common, and {lsn(stage.wire.written)} was reported")
    if changed := differences(taken, stage.archive.digest()):
        raise Loss(f"{where}and the archive was changed: {', '.join(changed)}")
    if "error: " not in stage.receiver.said_since(begin):
        raise Loss(f"{where}and the receiver ended with {status} and no word")
    stage.wire.remember(reported)


def differences(before, after):
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
