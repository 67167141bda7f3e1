"""What a receiver tells its server, read from the bytes that pass the proxy, without TLS.

On one connection the flushed position never falls; within one START_REPLICATION the written one never falls, and never
passes what was sent; nothing is flushed that is not written.
"""
import re
import struct
import threading
import time

from basics import begin, lsn

WITHOUT_PROTOCOL = {80877103: "SSLRequest", 80877104: "GSSENCRequest"}
CANCEL_REQUEST = 80877102


class Messages:
    """Splits a stream of messages, however it is cut. Of a long one only the beginning is kept."""

    def __init__(self, kept, typed):
        self.kept, self.typed = kept, typed
        self.buffer, self.skipped = b"", 0
        # How many answers of one byte, to SSLRequest and GSSENCRequest, come first.
        self.single = 0

    def feed(self, data):
        """Yields type (b"" where the message has none), length of the body, and the beginning of the body."""
        data = memoryview(data)
        while data or self.buffer:
            if self.skipped:
                step = min(self.skipped, len(data))
                data, self.skipped = data[step:], self.skipped - step
                if not data:
                    return
                continue
            wanted = self.wanted()
            if len(self.buffer) < wanted:
                step = wanted - len(self.buffer)
                self.buffer += bytes(data[:step])
                data = data[step:]
            if len(self.buffer) < self.wanted():
                if not data:
                    return
                continue
            if self.single:
                kind, length, body = b"one byte", 1, self.buffer
                self.single -= 1
            else:
                head = 5 if self.typed else 4
                kind, body = self.buffer[: head - 4], self.buffer[head:]
                length = struct.unpack("!i", self.buffer[head - 4 : head])[0] - 4
                self.skipped = length - len(body)
            self.buffer = b""
            yield kind, length, body

    def wanted(self):
        """How many bytes there must be, as far as is known."""
        if self.single:
            return 1
        head = 5 if self.typed else 4
        if len(self.buffer) < head:
            return head
        length = struct.unpack("!i", self.buffer[head - 4 : head])[0] - 4
        return head + max(0, min(length, self.kept))


class Wire:
    """All connections through a proxy: what was reported, and what was wrong with it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.troubles, self.connections, self.reports = [], 0, 0
        # The highest positions that were reported, and are not forgotten.
        self.written = self.flushed = 0

    def connection(self):
        with self.lock:
            self.connections += 1
            return WatchedConnection(self, self.connections)

    def report(self, written, flushed):
        with self.lock:
            self.reports += 1
            self.written, self.flushed = max(self.written, written), max(self.flushed, flushed)

    def forget(self, beyond=0):
        """From here on no more than this counts as reported. Returns what did."""
        with self.lock:
            before = self.written, self.flushed
            self.written, self.flushed = min(self.written, beyond), min(self.flushed, beyond)
            return before

    def remember(self, reported):
        with self.lock:
            self.written, self.flushed = reported


class WatchedConnection:
    def __init__(self, wire, number):
        self.wire, self.number = wire, number
        self.client, self.server = Messages(1024, typed=False), Messages(25, typed=True)
        self.opaque, self.stream = False, ""
        self.written = self.flushed = self.first = self.sent = 0

    def from_client(self, data):
        if self.opaque:
            return
        for kind, length, body in self.client.feed(data):
            if not kind:
                self.begin(struct.unpack_from("!i", body)[0])
            elif kind == b"Q" and (found := re.match(rb"START_REPLICATION\s.*?([0-9A-F]+/[0-9A-F]+).*", body, re.I)):
                self.stream = found[0].rstrip(b"\0").decode(errors="replace")
                self.written = self.first = self.sent = 0
            elif kind == b"d" and body[:1] == b"r" and length >= 25:
                self.status(*struct.unpack_from("!QQ", body, 1))

    def from_server(self, data):
        if self.opaque:
            return
        for kind, length, body in self.server.feed(data):
            if kind == b"one byte":
                # From here on nothing can be read.
                self.opaque = body != b"N"
            elif kind == b"d" and body[:1] == b"w" and length >= 25:
                (start,) = struct.unpack_from("!Q", body, 1)
                self.sent = max(self.sent, start + length - 25)

    def begin(self, code):
        if code in WITHOUT_PROTOCOL:
            self.server.single += 1
        elif code == CANCEL_REQUEST:
            self.opaque = True
        else:
            self.client.typed = True

    def status(self, written, flushed):
        if flushed < self.flushed:
            self.trouble(f"flushed falls from {lsn(self.flushed)} to {lsn(flushed)}")
        if written < self.written:
            self.trouble(f"written falls from {lsn(self.written)} to {lsn(written)}")
        if flushed > written:
            self.trouble(f"flushed {lsn(flushed)} is beyond written {lsn(written)}")
        # What it begins with is what the archive had.
        self.first = self.first or written
        if written > max(self.first, self.sent):
            self.trouble(f"written {lsn(written)} is beyond what was sent, {lsn(max(self.first, self.sent))}")
        self.written, self.flushed = max(self.written, written), max(self.flushed, flushed)
        self.wire.report(written, flushed)

    def trouble(self, text):
        at = time.monotonic() - begin
        self.wire.troubles.append(f"at {at:.3f} s connection {self.number} ({self.stream}) reported: {text}")
