"""The receiver's directory, what may be in it, and whether it has what was reported."""
import hashlib
import os
import re
import shutil
import subprocess
import time

import common
from basics import Loss, lsn

SUFFIXES = {"gzip": ".gz", "lz4": ".lz4", "zstd": ".zst"}
TOOLS = {".gz": "gzip", ".lz4": "lz4", ".zst": "zstd"}
# At the end of its input zstd keeps back what it has decoded of a frame that is not complete: an empty last block
# brings it out.
LAST_BLOCK = b"\1\0\0"
# WAL that is in no history of the present server lies in diverged.
OTHERS = r"[0-9A-F]{8}\.history(\.gz|\.lz4|\.zst)?(\.tmp)?|\.understudy.*|diverged"


def suffix_of(compress):
    kind = compress.split(":")[0]
    return SUFFIXES.get(kind, ".gz" if kind.isdigit() and kind != "0" else "")


class Archive:
    def __init__(self, path, primary, segment, suffix):
        self.path, self.primary, self.segment, self.suffix = path, primary, segment, suffix
        self.compared, self.skipped, self.reports = set(), 0, 0
        # Where the timelines ended from which the server's present one comes.
        self.forks = {}

    def listing(self):
        """The numbers of complete and of partial segments, by timeline."""
        complete, partial = {}, {}
        for name in os.listdir(self.path):
            found = re.fullmatch(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.gz|\.lz4|\.zst)?(\.partial)?", name)
            if found and (found[4] or "") == self.suffix:
                number = int(found[2], 16) * (0x1_0000_0000 // self.segment) + int(found[3], 16)
                (partial if found[5] else complete).setdefault(found[1], set()).add(number)
            elif not re.fullmatch(OTHERS, name):
                raise Loss(f"a file that does not belong there: {name}")
        return complete, partial

    def name(self, timeline, number):
        per_log = 0x1_0000_0000 // self.segment
        return f"{timeline}{number // per_log:08X}{number % per_log:08X}"

    def check_names(self):
        complete, partial = self.listing()
        newest = max(complete.keys() | partial.keys(), default=None)
        for timeline in complete.keys() | partial.keys():
            whole, parts = complete.get(timeline, set()), partial.get(timeline, set())
            if whole and max(whole) - min(whole) + 1 != len(whole):
                missing = sorted(set(range(min(whole), max(whole))) - whole)
                raise Loss(f"complete segments are missing: {[self.name(timeline, n) for n in missing]}")
            # Of a timeline that has ended, what is beyond the fork is moved away file by file.
            if timeline != newest:
                continue
            if len(parts) > 1:
                raise Loss(f"{len(parts)} partial segments: {[self.name(timeline, n) for n in sorted(parts)]}")
            if whole and parts and parts != {max(whole) + 1}:
                raise Loss(
                    f"the partial segment {self.name(timeline, *parts)} does not follow the last complete one,"
                    f" {self.name(timeline, max(whole))}"
                )
        numbers = set().union(*complete.values(), *partial.values())
        if numbers and max(numbers) - min(numbers) + 1 != len(numbers):
            missing = sorted(set(range(min(numbers), max(numbers))) - numbers)
            raise Loss(f"segments are missing in all timelines: {[self.name('*', n) for n in missing]}")
        return complete

    def check(self, receiver_runs, reported):
        """`reported` is what was told the server before now."""
        # A list is not read at once: what a running receiver renames meanwhile can be in it twice, or not at all.
        for attempt in range(20 if receiver_runs else 1):
            try:
                complete = self.check_names()
                self.check_report(reported)
                break
            except Loss as loss:
                trouble = loss
                time.sleep(0.1)
        else:
            raise trouble
        for timeline, numbers in complete.items():
            for number in sorted(numbers):
                if (timeline, number) not in self.compared:
                    self.compare(timeline, number)
                    self.compared.add((timeline, number))

    def check_report(self, reported):
        """All that was reported is there, in the file that a restore would take."""
        if not reported:
            return
        number, end = (reported - 1) // self.segment, (reported - 1) % self.segment + 1
        complete, partial = self.listing()
        # The server asks for the newest timeline first; whole segments come before partial ones of the same.
        for timeline in sorted(complete.keys() | partial.keys(), reverse=True):
            for numbers, ending in ((complete, ""), (partial, ".partial")):
                if number in numbers.get(timeline, ()):
                    name = self.name(timeline, number)
                    self.check_beginning(f"{name}{self.suffix}{ending}", name, end, reported)
                    return
        raise Loss(f"{lsn(reported)} was reported, and no file holds its WAL")

    def check_beginning(self, file, name, end, reported):
        try:
            ours = self.content(file)
        except FileNotFoundError:
            raise Loss(f"{file} is gone")
        theirs = self.server_content(name)
        if len(ours) < end:
            raise Loss(f"{lsn(reported)} was reported, and {file} holds {len(ours)} bytes")
        if theirs is None:
            # The server has removed it, or has its beginning under the name of an older timeline only.
            return
        self.reports += 1
        if ours[:end] != theirs[:end]:
            at = difference(ours, theirs)
            raise Loss(f"{lsn(reported)} was reported, and {file} is not the server's from byte {at} on")

    def content(self, file):
        with open(f"{self.path}/{file}", "rb") as opened:
            data = opened.read()
        if not self.suffix:
            return data
        partial = file.endswith(".partial")
        done = subprocess.run(
            [TOOLS[self.suffix], "-dc"], input=data + (LAST_BLOCK if partial and self.suffix == ".zst" else b""),
            capture_output=True,
        )
        # A partial one ends in the middle.
        if done.returncode != 0 and not partial:
            raise Loss(f"{file} cannot be decompressed: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def server_content(self, name):
        try:
            with open(f"{self.primary.data}/pg_wal/{name}", "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def compare(self, timeline, number):
        name = self.name(timeline, number)
        try:
            ours = self.content(f"{name}{self.suffix}")
        except FileNotFoundError:
            # Of a timeline that has ended, and in no history of the server.
            self.skipped += 1
            return
        if len(ours) != self.segment:
            raise Loss(f"the complete segment {name}{self.suffix} has {len(ours)} bytes")
        theirs = self.server_content(name)
        if theirs is None:
            # Recycled.
            self.skipped += 1
            return
        # Beyond a fork the archive may have what the old server alone had.
        end = max(0, min(self.segment, self.forks.get(timeline, 1 << 64) - number * self.segment))
        if ours[:end] != theirs[:end]:
            raise Loss(f"{name}{self.suffix} differs from the server's segment at byte {difference(ours, theirs)}")

    def newest_partial(self):
        """The name of the file that the receiver writes, and its timeline and number."""
        _, partial = self.listing()
        if not partial:
            return None
        timeline = max(partial)
        number = max(partial[timeline])
        return f"{self.name(timeline, number)}{self.suffix}.partial", timeline, number

    def digest(self):
        """Each file and its content, for who must not change them."""
        return {
            name: hashlib.sha256(open(f"{self.path}/{name}", "rb").read()).hexdigest()
            for name in os.listdir(self.path)
            if not name.startswith(".") and os.path.isfile(f"{self.path}/{name}")
        }

    def size(self):
        return sum(file.stat().st_size for file in os.scandir(self.path) if file.is_file())

    def prune(self, oldest):
        """Removes what lies before the segment of this name, as who has a newer base backup does."""
        complete, partial = self.listing()
        for numbers, ending in ((complete, ""), (partial, ".partial")):
            for timeline in numbers:
                for name in (self.name(timeline, number) for number in numbers[timeline]):
                    if name[8:] < oldest[8:]:
                        os.unlink(f"{self.path}/{name}{self.suffix}{ending}")

    def take(self, target):
        """The archive as it lies. Complete segments are final: a link will do."""
        shutil.rmtree(target, ignore_errors=True)
        os.mkdir(target)
        common.give_to_postgres(target)
        for name in os.listdir(self.path):
            source = f"{self.path}/{name}"
            if name.startswith(".") or not os.path.isfile(source):
                continue
            if re.fullmatch(r"[0-9A-F]{24}(\.\w+)?", name) and not name.endswith(".partial"):
                os.link(source, f"{target}/{name}")
            else:
                shutil.copy(source, f"{target}/{name}")
                common.give_to_postgres(f"{target}/{name}")


def difference(ours, theirs):
    return next((index for index, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
