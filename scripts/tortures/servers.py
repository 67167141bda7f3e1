"""Primaries, and the standbys that take their places."""
import os
import shutil
import subprocess

import common
from basics import Loss, eventually, position

# WAL is kept long enough to be compared with the archive's. A checkpoint comes when the torture wants it, mostly.
SETTINGS = """
fsync = on
shared_buffers = 4MB
min_wal_size = 128MB
max_wal_size = 512MB
wal_keep_size = 256MB
synchronous_commit = on
wal_sender_timeout = 5s
log_checkpoints = off
autovacuum = off
hot_standby = on
"""
SLOT = "SELECT pg_create_physical_replication_slot('torture', true)"


class Server(common.Primary):
    def stop_in_order(self):
        """All that the server has goes to those that are connected first."""
        done = subprocess.run(
            [f"{self.bin}/pg_ctl", "-D", self.data, "-m", "fast", "-s", "-w", "-t", "120", "stop"],
            capture_output=True, text=True, cwd=self.home, **common.become_postgres(),
        )
        if done.returncode != 0:
            common.fail(f"the server could not be stopped: {done.stdout}{done.stderr}")

    def stop(self):
        if os.path.exists(f"{self.data}/postmaster.pid"):
            super().stop()

    def configure(self, **settings):
        """Numbers and names of the torture's own: nothing that must be quoted."""
        for name, value in settings.items():
            self.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.sql("SELECT pg_reload_conf()")

    def lsn(self):
        return position(self.sql("SELECT pg_current_wal_flush_lsn()"))

    def control(self, item):
        for line in self.call("pg_controldata", "-D", self.data).splitlines():
            if line.startswith(f"{item}:"):
                return line.split(":", 1)[1].strip()
        common.fail(f"pg_controldata does not tell {item}")

    def remove(self):
        shutil.rmtree(self.data, ignore_errors=True)


class Standby(Server):
    """A copy that streams from the primary, at a port through which it can be cut off."""

    def __init__(self, primary, source_port, number):
        self.bin, self.home, self.data = primary.bin, primary.home, f"{primary.home}/server{number}"
        self.port = common.free_port()
        shutil.rmtree(self.data, ignore_errors=True)
        self.call(
            "pg_basebackup", "-D", self.data, "-X", "stream", "-c", "fast", "--no-sync", "-h", self.home, "-p",
            str(primary.port), "-U", "postgres",
        )
        with open(f"{self.data}/postgresql.auto.conf", "a") as conf:
            conf.write(
                f"port = {self.port}\nprimary_slot_name = ''\nwal_receiver_status_interval = 1s\n"
                f"primary_conninfo = 'host=127.0.0.1 port={source_port} user=postgres application_name=standby'\n"
            )
        open(f"{self.data}/standby.signal", "w").close()
        common.give_to_postgres(f"{self.data}/standby.signal")
        self.start()

    def received(self):
        return position(self.sql("SELECT coalesce(pg_last_wal_receive_lsn(), '0/0')"))

    def promote(self):
        self.call("pg_ctl", "-D", self.data, "-w", "-s", "promote")
        eventually(lambda: self.sql("SELECT pg_is_in_recovery()") == "f", "the standby was not promoted")

    def fork(self):
        """The number of the timeline that this server has begun, and where it forked off."""
        newest = max(name for name in os.listdir(f"{self.data}/pg_wal") if name.endswith(".history"))
        with open(f"{self.data}/pg_wal/{newest}") as file:
            lines = [line.split() for line in file if line.strip()]
        if not lines:
            raise Loss(f"{newest} is empty")
        return int(newest[:8], 16), position(lines[-1][1])
