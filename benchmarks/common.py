"""What the benchmarks and scripts/torture share: finding the programs, a throw-away primary, measuring a run."""
import os
import pathlib
import platform
import pwd
import re
import shutil
import socket
import subprocess
import sys
import time

root = pathlib.Path(__file__).resolve().parent.parent

# What messages begin with.
speaker = "benchmark"


def say(text):
    print(f"{speaker}: {text}", file=sys.stderr, flush=True)


def fail(text):
    sys.exit(f"{speaker}: {text}")


def newest_postgres():
    found = [path for path in pathlib.Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if not found:
        fail("no PostgreSQL in /usr/lib/postgresql: run scripts/setup, or give --bin-dir")
    return str(max(found, key=lambda path: int(path.parent.name.split(".")[0])))


def build():
    # The Swift libraries may lie where the user postgres cannot read: put them in.
    answer = subprocess.run([root / "scripts/build-release"], check=True, stdout=subprocess.PIPE, text=True)
    return answer.stdout.strip()


def become_postgres():
    """Servers refuse root; what root runs here runs as user postgres."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def give_to_postgres(path):
    if become_postgres():
        os.chown(path, become_postgres()["user"], become_postgres()["group"])


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def receiver(program, home, name="understudy"):
    """The command that receives WAL: a program whose name begins with pg_receivewal is one, understudy has one.

    It is copied under the name, where that is free."""
    if os.path.basename(program).startswith("pg_receivewal"):
        return [os.path.abspath(program)]
    # The clone may be closed to the user postgres.
    if not os.path.exists(f"{home}/{name}"):
        shutil.copy(program, f"{home}/{name}")
    return [f"{home}/{name}", "receivewal"]


class Primary:
    def __init__(self, bin_dir, home, configuration, initdb=()):
        self.bin, self.home, self.data = bin_dir, home, f"{home}/primary"
        self.port = free_port()
        self.call("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", *initdb)
        with open(f"{self.data}/postgresql.conf", "a") as conf:
            conf.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{home}'\n"
                f"{configuration}"
            )
        self.start()

    def start(self):
        self.call("pg_ctl", "-D", self.data, "-l", f"{self.home}/log", "-w", "-s", "start")

    def call(self, program, *arguments, text=None):
        done = subprocess.run(
            [f"{self.bin}/{program}", *arguments],
            input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.home, **become_postgres(),
        )
        if done.returncode != 0:
            fail(f"{program} failed:\n{done.stdout}")
        return done.stdout.strip()

    def sql(self, text):
        return self.call(
            "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.home, "-p", str(self.port), "-U", "postgres", "postgres",
            text=text,
        )

    def stop(self, mode="immediate"):
        if not os.path.exists(f"{self.data}/postmaster.pid"):
            return
        subprocess.run(
            [f"{self.bin}/pg_ctl", "-D", self.data, "-m", mode, "-s", "-w", "stop"], **become_postgres()
        )

    def version(self):
        """The major version."""
        return int(self.sql("SHOW server_version_num")) // 10000

    def cpu(self):
        """The seconds of CPU time that all processes of the server have taken, those that ended included."""
        with open(f"{self.data}/postmaster.pid") as file:
            postmaster = int(file.readline())
        while True:
            # A process that ends in between would count twice, or not at all.
            before = children(postmaster)
            own = times(postmaster)
            ticks = sum(own) + sum(sum(times(child)[:2]) for child in before)
            if children(postmaster) == before:
                return ticks / os.sysconf("SC_CLK_TCK")


def children(parent):
    return {int(name) for name in os.listdir("/proc") if name.isdigit() and times(int(name), wants_parent=True) == parent}


def times(process, wants_parent=False):
    """User and system time of a process, and of its children that it has waited for, in clock ticks; or its parent."""
    try:
        with open(f"/proc/{process}/stat") as file:
            # The name, in brackets, may hold anything.
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None if wants_parent else (0, 0, 0, 0)
    return int(fields[1]) if wants_parent else tuple(int(field) for field in fields[11:15])


def measure(command, home):
    """Wall seconds, CPU seconds and peak memory in MiB of one run."""
    subprocess.run(["sync"], check=True)
    begin = time.monotonic()
    with open(f"{home}/out", "w") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, cwd=home, **become_postgres())
    cpu, peak = usage_until_end(child)
    wall = time.monotonic() - begin
    if child.returncode != 0:
        fail(f"{' '.join(command)} failed:\n" + open(f"{home}/out").read())
    return wall, cpu, peak


def usage_until_end(child):
    """CPU seconds and peak memory in MiB of a child that ends."""
    # What the child itself has waited for (the stock backup tool's WAL receiver) is included. The peak is at least
    # that of this script (some 10 MiB), which the child is forked from.
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def machine(directory):
    model = next(
        (line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    system = subprocess.run(["stat", "-f", "-c", "%T", directory], capture_output=True, text=True).stdout.strip()
    memory = re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read()).group(1)
    return (
        f"{model}, {len(os.sched_getaffinity(0))} cores, {int(memory) // 1024**2} GiB of memory; "
        f"{system}; Linux {platform.release()}"
    )


def version(program, home):
    done = subprocess.run([program, "--version"], capture_output=True, text=True, cwd=home, **become_postgres())
    return (done.stdout or done.stderr).strip()
