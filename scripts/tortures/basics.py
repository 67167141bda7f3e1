"""What all modules of the torture share. Imports none of them.

Who imports whom, lowest first: basics; wire, session, archive, receiver; sampler, servers; stage; verify; events,
failovers, snapshots; scripts/torture.
"""
import argparse
import random
import time

begin = time.monotonic()
MEGABYTE = 1 << 20


class Loss(Exception):
    """What the archive or a report should have and has not, or has and should not."""


def say(text):
    print(f"torture: {time.monotonic() - begin:7.1f} s: {text}", flush=True)


def lsn(position):
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def position(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def parse(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="repeats a run's choices"
    )
    counts = parser.add_argument_group("how many of each event")
    counts.add_argument("--receiver-kills", type=int, default=400, metavar="N")
    counts.add_argument("--server-kills", type=int, default=100, metavar="N")
    counts.add_argument("--network-cuts", type=int, default=100, metavar="N", help="cuts, stalls and delays")
    counts.add_argument(
        "--bursts", type=int, default=60, metavar="N", help="bulk loads, and checkpoints under max_slot_wal_keep_size"
    )
    counts.add_argument("--removals", type=int, default=40, metavar="N", help="partial segments taken away or replaced")
    counts.add_argument("--failovers", type=int, default=24, metavar="N", help="a standby takes over")
    counts.add_argument("--snapshots", type=int, default=16, metavar="N", help="an older state of the primary is put back")
    parser.add_argument("--burst-megabytes", type=int, default=200, metavar="N", help="the largest bulk load")
    parser.add_argument("--verify-every", type=int, default=10, metavar="N", help="events between two restores")
    parser.add_argument("--time-limit", type=float, default=3600, metavar="SECONDS", help="end early, with a restore")
    parser.add_argument("--bin-dir", default="", help="PostgreSQL's programs (default: the newest in /usr/lib/postgresql)")
    parser.add_argument(
        "--program", default="",
        help="an understudy, or a pg_receivewal: a path whose last part begins so (default: a release build of this clone)",
    )
    parser.add_argument("--compress", default="", metavar="SPEC", help="passed to the receiver as -Z")
    parser.add_argument(
        "--segment-megabytes", type=int, choices=[1, 16, 64], help="the size of segments (default: 1 or 16, by the seed)"
    )
    parser.add_argument("--sessions", type=int, default=4, metavar="N", help="sessions that count their commits")
    parser.add_argument("--directory", default="/var/tmp", help="where all is made: a real disk")
    parser.add_argument("--keep", action="store_true", help="keep everything, loss or not")
    options = parser.parse_args()
    if options.segment_megabytes is None:
        # Small ones are finished often; large ones are received for long without one that ends.
        options.segment_megabytes = 1 if options.seed % 2 else 16
    return options


def eventually(condition, trouble, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Loss(f"{trouble} for {seconds} seconds")
        time.sleep(0.02)
