"""A proxy for one server's TCP port that forwards, delays, limits, stalls, and cuts.

As a program (PORT MILLISECONDS), it delays each direction for ever and prints the port that it listens on.
"""
import collections
import selectors
import socket
import struct
import sys
import threading
import time

# select(2) waits for microseconds, epoll only for whole milliseconds.
Selector = selectors.SelectSelector


class Direction:
    def __init__(self, source, sink, watch=None):
        self.source, self.sink, self.watch = source, sink, watch
        self.waiting, self.size, self.ended = collections.deque(), 0, False
        # When a limited direction has passed on what it has taken so far.
        self.free = 0.0


class Proxy(threading.Thread):
    """Its settings may be changed at any time, from any thread.

    `watch` makes, for each connection, something whose from_client and from_server are given all bytes before they go on.
    `rate` limits each direction of each connection, in bytes per second; what is not used is not saved up.
    """

    def __init__(self, target_port, delay=0.0, watch=None, rate=None):
        super().__init__(daemon=True)
        self.target_port, self.delay, self.watch, self.rate = target_port, delay, watch, rate
        self.stalled = self.refuses = False
        # How many more bytes from the server reach the client before both lose the connection.
        self.bytes_until_cut = None
        self.cut_side = None
        self.links, self.stopped = [], False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.bell, self.rope = socket.socketpair()
        self.bell.setblocking(False)

    def set(self, **settings):
        for name, value in settings.items():
            setattr(self, name, value)
        self.rope.send(b"!")

    def cut(self, side="both"):
        """Resets all connections; with side "client", the server does not learn of it, and waits."""
        self.set(cut_side=side)

    def stop(self):
        self.set(stopped=True)
        self.join()

    def run(self):
        while not self.stopped:
            if self.cut_side:
                side, self.cut_side = self.cut_side, None
                for link in list(self.links):
                    self.close(link, reset=True, server_too=side == "both")
            self.turn()
        for link in list(self.links):
            self.close(link, reset=True)
        self.listener.close()

    def turn(self):
        now, wait = time.monotonic(), None
        with Selector() as selector:
            wanted = {self.listener: selectors.EVENT_READ, self.bell: selectors.EVENT_READ}
            for link in self.links:
                for direction in link:
                    if self.stalled:
                        continue
                    if not direction.ended and direction.size < self.room():
                        wanted[direction.source] = wanted.get(direction.source, 0) | selectors.EVENT_READ
                    if direction.waiting:
                        due = direction.waiting[0][0] - now
                        if due <= 0:
                            wanted[direction.sink] = wanted.get(direction.sink, 0) | selectors.EVENT_WRITE
                        else:
                            wait = due if wait is None else min(wait, due)
            for what, events in wanted.items():
                selector.register(what, events)
            ready = {key.fileobj: events for key, events in selector.select(wait)}
        if self.bell in ready:
            self.bell.recv(4096)
            return
        if self.listener in ready:
            self.accept()
        for link in list(self.links):
            try:
                for direction in link:
                    if ready.get(direction.source, 0) & selectors.EVENT_READ:
                        self.read(direction)
                    if ready.get(direction.sink, 0) & selectors.EVENT_WRITE:
                        self.write(link, direction)
                if any(direction.ended and not direction.waiting for direction in link):
                    self.close(link)
            except BlockingIOError:
                pass
            except OSError:
                self.close(link)

    def accept(self):
        client, _ = self.listener.accept()
        try:
            if self.refuses:
                raise OSError
            server = self.connect()
        except OSError:
            reset(client)
            return
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        watch = self.watch() if self.watch else None
        self.links.append(
            (
                Direction(client, server, watch and watch.from_client),
                Direction(server, client, watch and watch.from_server),
            )
        )

    def room(self):
        """How many bytes may wait in one direction. With a limit, no more than 50 ms of it: a client that did not read
        for a while gets no more than that at once."""
        return max(256 << 10, int(self.rate * 0.05)) if self.rate else 4 << 20

    def connect(self):
        server = socket.socket()
        if self.rate:
            # The kernel's own would hold megabytes: what the client no longer wants would keep it waiting.
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 << 10)
        server.connect(("127.0.0.1", self.target_port))
        return server

    def read(self, direction):
        data = direction.source.recv(256 << 10)
        if data:
            if direction.watch:
                direction.watch(data)
            due = time.monotonic() + self.delay
            if self.rate:
                # Time that passed without a byte is lost; a late turn of this loop is not.
                due = direction.free = max(due, direction.free) + len(data) / self.rate
            direction.waiting.append((due, memoryview(data)))
            direction.size += len(data)
        else:
            direction.ended = True

    def write(self, link, direction):
        due, data = direction.waiting.popleft()
        counted = direction is link[1] and self.bytes_until_cut is not None
        part = data[: self.bytes_until_cut] if counted else data
        try:
            sent = direction.sink.send(part)
        except BlockingIOError:
            sent = 0
        direction.size -= sent
        if sent < len(data):
            direction.waiting.appendleft((due, data[sent:]))
        if counted:
            self.bytes_until_cut -= sent
            if self.bytes_until_cut <= 0:
                self.bytes_until_cut = None
                self.close(link, reset=True)

    def close(self, link, reset=False, server_too=True):
        if link not in self.links:
            return
        self.links.remove(link)
        client, server = link[0].source, link[0].sink
        for end in (client, server):
            if end is server and not server_too:
                # Held open, and never read again.
                held.append(end)
                continue
            if reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


held = collections.deque(maxlen=8)


def reset(end):
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


if __name__ == "__main__":
    proxy = Proxy(int(sys.argv[1]), float(sys.argv[2]) / 1000)
    print(proxy.port, flush=True)
    proxy.run()
