"""A primary, and copies that are taken of it by the program and run beside it. Lowest of the modules here.

The copy runs in a mount namespace in which its tablespaces lie where the primary's do, as on a machine of its own: so
replay makes and removes tablespaces as the primary did, and neither sees the other's. The program does not see the
processes of the other server, either, which would be in the wrong places for it. That takes root.
"""
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

import common
import network

SETTINGS = """
fsync = off
shared_buffers = 32MB
max_wal_size = 256MB
min_wal_size = 80MB
max_wal_senders = 16
max_connections = 60
wal_level = replica
hot_standby = on
autovacuum_naptime = 1s
log_checkpoints = off
allow_in_place_tablespaces = on
"""
AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
ALONE = ["unshare", "-p", "--fork", "--kill-child", "--mount-proc"]
ENTER = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


class Loss(Exception):
    """What the copy should have and has not, or has and should not."""


def eventually(condition, trouble, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Loss(f"{trouble} for {seconds} seconds")
        time.sleep(0.05)


class Server(common.Primary):
    """One that is there already, as `initdb` or a backup made it; `words` come before every command."""

    def __init__(self, bin_dir, home, data, port, words=()):
        self.bin, self.home, self.data, self.port, self.words = bin_dir, home, data, port, list(words)

    def call(self, program, *arguments, text=None):
        if not self.words:
            return super().call(program, *arguments, text=text)
        done = subprocess.run(
            [*self.words, f"{self.bin}/{program}", *arguments],
            input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.home,
        )
        if done.returncode != 0:
            raise Loss(f"{program} {' '.join(arguments)} failed:\n{done.stdout[-3000:]}")
        return done.stdout.strip()

    def start(self):
        self.call("pg_ctl", "-D", self.data, "-l", f"{self.data}.log", "-w", "-s", "-t", "120", "start")

    def stop(self, mode="immediate"):
        if os.path.exists(f"{self.data}/postmaster.pid"):
            self.call("pg_ctl", "-D", self.data, "-m", mode, "-s", "-w", "-t", "120", "stop")

    def is_true(self, condition):
        return self.sql(f"SELECT {condition}") == "t"

    def connection(self, database="postgres"):
        return ["-h", self.home, "-p", str(self.port), "-U", "postgres", "-d", database]

    def open(self, program, *arguments, **streams):
        """A client program, under way."""
        return subprocess.Popen(
            [f"{self.bin}/{program}", *arguments], cwd=self.home, **streams, **common.become_postgres()
        )


class Traffic:
    """The bytes that came from the server: over ordinary connections, and over those for replication."""

    def __init__(self):
        self.ordinary = self.replication = 0

    def connection(self):
        return Counter(self)

    def take(self):
        taken = self.ordinary, self.replication
        self.ordinary = self.replication = 0
        return taken


class Counter:
    def __init__(self, traffic):
        self.traffic, self.is_replication, self.asked = traffic, False, False

    def from_client(self, data):
        # The startup message comes as one, after requests for encryption, of 8 bytes, that the server declines.
        if not self.asked and len(data) > 8:
            self.asked, self.is_replication = True, b"replication\0" in data

    def from_server(self, data):
        if self.is_replication:
            self.traffic.replication += len(data)
        else:
            self.traffic.ordinary += len(data)


class Stage:
    def __init__(self, options, home, settings="", initdb=()):
        self.options, self.home, self.random = options, home, random.Random(options.seed)
        self.spaces, self.target = f"{home}/spaces", f"{home}/copy"
        self.copied_spaces = f"{home}/copied-spaces"
        self.can_mount = os.geteuid() == 0
        # The clone may be closed to the user postgres.
        shutil.copy(options.program, f"{home}/understudy")
        self.remove(self.spaces, again=True)
        made = common.Primary(options.bin_dir, home, SETTINGS + settings, ["-k", *initdb])
        self.primary = Server(options.bin_dir, home, made.data, made.port)
        self.traffic = Traffic()
        self.proxy = network.Proxy(self.primary.port, watch=self.traffic.connection)
        self.proxy.start()
        self.copy = None

    def stop(self):
        for server in (self.copy, self.primary):
            if server:
                server.stop()
        self.proxy.stop()

    # MARK: places

    def remove(self, path, again=False):
        shutil.rmtree(path, ignore_errors=True)
        if again:
            for place in [path, *(f"{path}/{name}" for name in self.places())]:
                os.mkdir(place, 0o700)
                common.give_to_postgres(place)

    def places(self):
        """Where tablespaces may be made, as the last part of their paths. Nobody makes them for replay."""
        return [f"place{number}" for number in range(6)] if self.can_mount else []

    def words(self):
        """What comes before a command that is to see the copy's tablespaces."""
        if not self.can_mount:
            return []
        return ["unshare", "-m", "sh", "-c", ENTER, "sh", self.copied_spaces, self.spaces, *AS_POSTGRES]

    def fresh_target(self):
        self.remove(self.target)
        self.remove(self.copied_spaces, again=True)

    # MARK: the program

    def copying(self, *arguments, command="clone", target=None):
        """The program, under way: a copy of the primary, through the proxy, into the target or that given, which lies
        beside the primary's own tablespaces."""
        where = f"host=127.0.0.1 port={self.proxy.port} user=postgres dbname=postgres"
        words = [f"{self.home}/understudy", command, "-d", where, "-D", target or self.target, "-c", "fast"]
        words += ["--jobs", str(self.options.jobs), *arguments]
        before = [*ALONE, *(AS_POSTGRES if target else self.words())] if self.can_mount else []
        with open(f"{self.home}/out", "w") as out:
            return subprocess.Popen([*before, *words], cwd=self.home, stdout=out, stderr=out)

    def signal(self, child, number):
        """Sends a signal to the program, not to what has put it into its namespaces."""
        process = child.pid
        while self.can_mount and child.poll() is None:
            if inner := common.children(child.pid):
                (process,) = inner
                break
        try:
            os.kill(process, number)
        except ProcessLookupError:
            pass

    def said(self):
        return pathlib.Path(f"{self.home}/out").read_text(errors="replace").strip()

    def wait(self, child, seconds=600):
        try:
            status = child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal(child, signal.SIGKILL)
            raise Loss(f"the program has not ended after {seconds} seconds:\n{self.said()[-2000:]}")
        if status != 0:
            raise Loss(f"the program ended with {status}:\n{self.said()[-4000:]}")

    def server_of_copy(self):
        """The copy as a server beside the primary, not started."""
        self.copy = Server(self.options.bin_dir, self.home, self.target, common.free_port(), self.words())
        return self.copy

    def start_copy(self):
        # The last one counts.
        with open(f"{self.target}/postgresql.auto.conf", "a") as conf:
            conf.write(f"port = {self.copy.port}\n")
        self.copy.start()

    def pause(self, least, most):
        time.sleep(self.random.uniform(least, most))

    def settle(self):
        """Waits until nobody does anything on the primary, and sees to it that it stays so."""
        self.primary.sql("ALTER SYSTEM SET autovacuum = off;\nSELECT pg_reload_conf()")
        eventually(
            lambda: self.primary.is_true(
                "count(*) = 0 FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
                " AND backend_type IN ('client backend', 'autovacuum launcher', 'autovacuum worker')"
            ),
            "sessions did not end",
        )

    def unsettle(self):
        self.primary.sql("ALTER SYSTEM RESET autovacuum;\nSELECT pg_reload_conf()")
