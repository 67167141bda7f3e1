"""Sessions that load the primary, and remember what it acknowledged."""
import random
import socket
import struct
import threading
import time


class Unacknowledged(Exception):
    """The server did not say that it committed."""


class Connection:
    """As much of protocol 3 as a simple query needs, to know when its commit was acknowledged."""

    def __init__(self, home, port):
        self.socket = socket.socket(socket.AF_UNIX)
        self.buffer = b""
        try:
            self.socket.connect(f"{home}/.s.PGSQL.{port}")
            parameters = b"user\0postgres\0database\0postgres\0\0"
            self.socket.sendall(struct.pack("!ii", 8 + len(parameters), 196608) + parameters)
            self.until_ready()
        except BaseException:
            self.close()
            raise

    def query(self, text):
        data = text.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!i", 4 + len(data)) + data)
        return self.until_ready()

    def until_ready(self):
        """The first column of each row. A notice is as bad as an error: a commit that could not wait for the standby
        is acknowledged, with a warning."""
        rows, trouble = [], None
        while True:
            kind, body = self.message()
            if kind == b"D":
                (length,) = struct.unpack_from("!i", body, 2)
                rows.append(body[6 : 6 + length].decode())
            elif kind in b"EN":
                trouble = body.replace(b"\0", b" ").decode(errors="replace")
            elif kind == b"Z":
                if trouble:
                    raise Unacknowledged(trouble)
                return rows

    def message(self):
        head = self.read(5)
        return head[:1], self.read(struct.unpack("!i", head[1:])[0] - 4)

    def read(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(65536)
            if not data:
                raise Unacknowledged("the server closed the connection")
            self.buffer += data
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def close(self):
        self.socket.close()


class Session(threading.Thread):
    """Runs its work again and again, connects again when the connection dies, and waits while the load is paused."""

    def __init__(self, load, seed):
        super().__init__(daemon=True)
        self.load, self.random, self.connection = load, random.Random(seed), None
        self.port = None

    def run(self):
        while not self.load.ended:
            self.load.running.wait()
            try:
                if self.connection is None or self.port != self.load.primary.port:
                    self.disconnect()
                    self.port = self.load.primary.port
                    self.connection = Connection(self.load.primary.home, self.port)
                    self.prepare()
                self.work()
            except (OSError, Unacknowledged):
                self.disconnect()
                time.sleep(0.05)

    def disconnect(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def prepare(self):
        pass


class Committer(Session):
    """Inserts rows under its own numbers; `acknowledged` are those that the server said to have committed."""

    def __init__(self, load, seed, first, waits_for):
        super().__init__(load, seed)
        self.next, self.acknowledged, self.waits_for = first, [], waits_for

    def prepare(self):
        self.connection.query(f"SET synchronous_commit = {self.waits_for}")

    def work(self):
        number, self.next = self.next, self.next + 1
        filler = "x" * self.random.randrange(200)
        if self.random.random() < 0.3:
            text = f"BEGIN; INSERT INTO torture VALUES ({number}, '{filler}'); COMMIT"
        else:
            text = f"INSERT INTO torture VALUES ({number}, '{filler}')"
        self.connection.query(text)
        # Only now.
        self.acknowledged.append(number)
        time.sleep(self.random.random() * 0.02)


class Ballast(Session):
    """Bigger rows that wait for nobody, so that there is something to catch up with, and segments that end early."""

    def prepare(self):
        self.connection.query("SET synchronous_commit = local")

    def work(self):
        rows, size = self.random.randrange(1, 20), self.random.randrange(1, 250)
        self.connection.query(
            f"INSERT INTO ballast SELECT string_agg(md5(random()::text), '') FROM generate_series(1, {rows}) a,"
            f" generate_series(1, {size}) b GROUP BY a"
        )
        if self.random.random() < 0.01:
            # What stays is copied for each standby and snapshot.
            self.connection.query("TRUNCATE ballast")
        if self.random.random() < 0.03:
            self.connection.query("SELECT pg_switch_wal()")
        if self.random.random() < 0.01:
            self.connection.query("CHECKPOINT")
        time.sleep(self.random.random() * 0.2)


class Load:
    """Every second committer waits for remote_write only: the receiver's write(2) must have taken the commit."""

    def __init__(self, primary, sessions, seed):
        self.primary, self.ended, self.running = primary, False, threading.Event()
        self.committers = [
            Committer(self, f"{seed} {n}", n * 100_000_000, "remote_write" if n % 2 else "on") for n in range(sessions)
        ]
        self.all = [*self.committers, Ballast(self, f"{seed} ballast")]
        for session in self.all:
            session.start()

    def count(self):
        return sum(len(session.acknowledged) for session in self.committers)

    def acknowledged(self):
        return {number for session in self.committers for number in list(session.acknowledged)}

    def pause(self):
        """From here on nothing new is asked of the server; what is under way may still be acknowledged."""
        self.running.clear()
