"""Looks at the primary every 20 ms: no position of a WAL sender and of its slot falls, and the slot is never lost."""
import threading
import time

from basics import begin, lsn
from session import Connection, Unacknowledged

QUERY = """
SELECT concat_ws(' ', pid, extract(epoch FROM backend_start), coalesce(write_lsn - '0/0', 0),
                 coalesce(flush_lsn - '0/0', 0), coalesce(restart_lsn - '0/0', 0), coalesce(wal_status, 'none'))
FROM pg_replication_slots LEFT JOIN pg_stat_replication ON pid = active_pid
WHERE slot_name = 'torture'
"""
NAMES = ["write_lsn", "flush_lsn", "restart_lsn"]


class Sampler(threading.Thread):
    def __init__(self, primary):
        super().__init__(daemon=True)
        self.primary, self.ended, self.running = primary, False, threading.Event()
        self.troubles, self.samples = [], 0
        self.last = {}

    def run(self):
        connection = server = None
        while not self.ended:
            self.running.wait()
            try:
                if connection is None or server is not self.primary:
                    if connection:
                        connection.close()
                    connection = None
                    server = self.primary
                    connection = Connection(server.home, server.port)
                    # Process identifiers may come again.
                    self.last = {}
                for row in connection.query(QUERY):
                    self.sample(row.split())
            except (OSError, Unacknowledged):
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.1)
            time.sleep(0.02)

    def sample(self, row):
        if row[-1] == "lost":
            self.trouble("the slot is lost, though the receiver has had everything")
        if len(row) != 6:
            # Nobody uses the slot.
            return
        self.samples += 1
        sender = tuple(row[:2])
        write, flush, restart = (int(value) for value in row[2:5])
        # A slot is where the last WAL sender left it until the receiver reports for the first time. The report is
        # stored in the sender first.
        now = [write, flush, restart if flush and restart <= flush else 0]
        before = self.last.get(sender, [0, 0, 0])
        for name, old, new in zip(NAMES, before, now):
            if new < old and not (name == "restart_lsn" and new == 0):
                self.trouble(f"{name} falls from {lsn(old)} to {lsn(new)} under WAL sender {sender[0]}")
        self.last[sender] = [max(old, new) for old, new in zip(before, now)]

    def trouble(self, text):
        self.troubles.append(f"at {time.monotonic() - begin:.3f} s the server shows: {text}")
