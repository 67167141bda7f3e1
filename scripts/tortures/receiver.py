"""The receiver's process."""
import os
import signal
import subprocess
import threading
import time

import common
from basics import eventually


class Receiver:
    """The receiver, and who starts it again when it ends by itself (the stock one does if it cannot connect at once)."""

    def __init__(self, command, home):
        self.command, self.log = command, f"{home}/receiver.log"
        self.home = home
        self.child, self.restarts, self.ended = None, 0, False
        # Whether one that ends is started again; who expects an end wants to see it.
        self.supervised = True
        self.lock = threading.Lock()
        threading.Thread(target=self.supervise, daemon=True).start()

    def start(self):
        with self.lock:
            if self.child is None or self.child.poll() is not None:
                self.launch()

    def launch(self):
        with open(self.log, "a") as log:
            # With what it starts, it is a group of its own, killed together.
            self.child = subprocess.Popen(
                self.command, stdout=log, stderr=log, cwd=self.home, start_new_session=True, **common.become_postgres()
            )

    def kill(self):
        with self.lock:
            if self.child:
                try:
                    os.killpg(self.child.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                self.child.wait()
                self.child = None

    def supervise(self):
        while not self.ended:
            time.sleep(0.2)
            with self.lock:
                if self.supervised and self.child and self.child.poll() is not None and not self.ended:
                    self.restarts += 1
                    self.launch()

    def status(self):
        """The exit status, or None while it runs."""
        return self.child.poll() if self.child else None

    def wait_for_end(self, trouble, seconds=90):
        eventually(lambda: self.status() is not None, trouble, seconds)
        return self.status()

    def log_end(self):
        return os.path.getsize(self.log)

    def said_since(self, begin):
        with open(self.log, errors="replace") as log:
            log.seek(begin)
            return log.read()

    def last_said(self):
        if not os.path.exists(self.log):
            return "nothing"
        return (self.said_since(0).strip().splitlines() or ["nothing"])[-1]
