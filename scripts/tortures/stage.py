"""All that is tortured, and what looks at it."""
import os
import random
import time

import common
import network
from archive import Archive, suffix_of
from basics import Loss, MEGABYTE, eventually, lsn, say
from receiver import Receiver
from sampler import Sampler
from servers import SETTINGS, SLOT, Server
from session import Load
from wire import Wire


def is_stock(program):
    return os.path.basename(program).startswith("pg_receivewal")


class Stage:
    def __init__(self, options, program, home):
        self.options, self.program, self.home = options, program, home
        self.random = random.Random(options.seed)
        self.segment = options.segment_megabytes * MEGABYTE
        self.counts = {}
        self.restored_server = self.load = self.receiver = self.proxy = self.primary = self.sampler = None
        # Servers and proxies that are there for one event.
        self.passing = []
        self.wire = Wire()
        self.servers = 1
        # What has been done of each event's kinds: each kind comes once before one comes again.
        self.decks = {}
        # What the present event has drawn.
        self.happens, self.kinds = "the beginning", []

    def prepare(self):
        options, home = self.options, self.home
        say(f"seed {options.seed}; making the primary, {options.segment_megabytes} MB segments")
        self.primary = Server(options.bin_dir, home, SETTINGS, initdb=[f"--wal-segsize={options.segment_megabytes}"])
        self.primary.sql(
            "CREATE TABLE torture (id int8 PRIMARY KEY, filler text); CREATE TABLE ballast (filler text);"
            f"ALTER TABLE ballast ALTER filler SET STORAGE EXTERNAL; {SLOT}"
        )
        self.proxy = network.Proxy(self.primary.port, watch=self.wire.connection)
        self.proxy.start()
        self.archive = Archive(f"{home}/archive", self.primary, self.segment, suffix_of(options.compress))
        os.mkdir(self.archive.path)
        common.give_to_postgres(self.archive.path)
        connection = f"host=127.0.0.1 port={self.proxy.port} user=postgres application_name=torture sslmode=disable"
        command = [*common.receiver(self.program, home), "-D", self.archive.path, "-d", connection, "-S", "torture"]
        command += ["--synchronous", "-s", "1", "-v", *(["-Z", options.compress] if options.compress else [])]
        say(f"the receiver: {common.version(command[0], home)}; {' '.join(command)}")
        self.receiver = Receiver(command, home)
        self.receiver.start()
        self.back_up(f"{home}/base")
        self.primary.configure(synchronous_standby_names="torture")
        self.wait_for_synchronous("torture")
        self.sampler = Sampler(self.primary)
        self.sampler.start()
        self.load = Load(self.primary, options.sessions, options.seed)
        self.resume()
        self.wait_for_commits()

    def back_up(self, target):
        self.primary.call(
            "pg_basebackup", "-D", target, "-X", "none", "-c", "fast", "--no-sync", "-h", self.home, "-p",
            str(self.primary.port), "-U", "postgres",
        )

    def pause(self, least, most):
        time.sleep(self.random.uniform(least, most))

    def draw(self, *kinds):
        """One of these, each as often as it is named."""
        deck = self.decks.setdefault(kinds, [])
        if not deck:
            deck.extend(self.random.sample(kinds, len(kinds)))
        kind = deck.pop()
        self.kinds.append(kind if isinstance(kind, str) else kind.__name__)
        return kind

    def some_bytes(self):
        # The server sends up to 128 KiB of WAL in one message, of which nothing arrives before all of it has.
        return self.random.randrange(1, self.random.choice([1000, 100_000, self.segment, self.segment]))

    def resume(self):
        self.sampler.running.set()
        self.load.running.set()

    def hold(self):
        """Pauses the load until what was asked has been answered."""
        self.load.pause()
        time.sleep(0.2)

    def take_over(self, server):
        """From here on this is the primary."""
        self.primary = self.archive.primary = self.load.primary = self.sampler.primary = server
        self.proxy.set(target_port=server.port)
        self.proxy.cut()

    def check(self, receiver_runs=True):
        """Raises what the proxy or the sampler saw, and what is wrong with the archive."""
        # What is only written is there while the machine is up. The stock receiver has some of a compressed segment in
        # memory.
        weak = is_stock(self.program) and self.archive.suffix
        reported = self.wire.flushed if weak else self.wire.written
        self.check_reports()
        self.archive.check(receiver_runs, reported)

    def check_reports(self):
        for troubles in (self.wire.troubles, self.sampler.troubles if self.sampler else []):
            if troubles:
                raise Loss(f"{troubles[0]}{f' (and {len(troubles) - 1} more)' if len(troubles) > 1 else ''}")

    def eventually(self, condition, trouble, seconds=90):
        """Ends early when the proxy or the sampler has seen something."""

        def checked():
            self.check_reports()
            return condition()

        eventually(checked, trouble, seconds)

    def wait_for_commits(self):
        before = self.load.count()
        self.eventually(lambda: self.load.count() > before, "nothing was committed any more")

    def wait_for_receiver(self, target=None):
        """Until all that the server has, or `target`, is acknowledged."""
        target = target or self.primary.lsn()
        self.eventually(lambda: self.wire.flushed >= target, f"{lsn(target)} was not acknowledged")

    def wait_for_synchronous(self, *names):
        wanted = sorted(names)

        def are_there():
            rows = self.primary.sql("SELECT application_name FROM pg_stat_replication WHERE sync_state = 'sync'")
            return sorted(rows.split()) == wanted

        self.eventually(are_there, f"{' and '.join(names)}: not the synchronous standby")

    def stop(self):
        if self.load:
            self.load.ended = True
            self.load.running.set()
        if self.sampler:
            self.sampler.ended = True
            self.sampler.running.set()
        if self.receiver:
            self.receiver.ended = True
            self.receiver.kill()
        self.end_restored_server()
        for one in self.passing:
            one.stop()
        if self.primary:
            self.primary.stop()
        if self.proxy:
            self.proxy.stop()

    def end_restored_server(self):
        if self.restored_server and self.restored_server.poll() is None:
            self.restored_server.send_signal(3)
            self.restored_server.wait()
