"""Programs that take the same base backup in turn, and what each takes for it."""
import dataclasses
import os
import shutil

import common


@dataclasses.dataclass
class Contender:
    """`words` come before the target's; one without a target throws away what it receives."""

    words: list
    has_target: bool = True

    def command(self, target, port, options):
        if not self.has_target:
            return [*self.words, "127.0.0.1", str(port), DISCARDED]
        connection = f"host=127.0.0.1 port={port} user=postgres"
        unsynced = ["--no-sync"] if options.no_sync else []
        return [*self.words, "-D", target, "-d", connection, "-X", "stream", "-c", "fast", *unsynced]


# As the backups ask for it.
DISCARDED = "BASE_BACKUP (LABEL 'discard', PROGRESS, CHECKPOINT 'fast', WAIT 0, MANIFEST 'yes', TARGET 'client')"


def discard(home):
    """The client that no other can be faster than over one connection; servers from 15."""
    # The clone may be closed to the user postgres.
    shutil.copy(common.root / "benchmarks" / "discard", f"{home}/discard")
    return Contender([f"{home}/discard"], has_target=False)


def take(options, primary, contenders, home, port=None):
    """For each contender its rounds: wall seconds, client's CPU seconds, peak memory in MiB, server's CPU seconds.

    - port: where they connect to, if it is not the server's own."""
    runs = {name: [] for name in contenders}
    for number in range(options.rounds):
        # Neither has the advantage of always coming second.
        order = list(contenders) if number % 2 == 0 else list(reversed(contenders))
        for name in order:
            # Deleted files slow ext4 down for half a minute when as many are made again: few large ones do not
            # matter, and many small ones fit on the disk until the end.
            target = f"{home}/target{number}-{name}" if options.small_files else f"{home}/target"
            command = contenders[name].command(target, port or primary.port, options)
            before = primary.cpu()
            row = (*common.measure(command, home), primary.cpu() - before)
            if contenders[name].has_target and not os.path.exists(f"{target}/backup_manifest"):
                common.fail(f"{' '.join(command)} made no backup")
            runs[name].append(row)
            common.say(
                f"{number + 1}: {name}: {row[0]:.2f} s, {row[1]:.2f} s CPU, {row[2]:.0f} MiB, server {row[3]:.2f} s CPU"
            )
            if not options.small_files:
                shutil.rmtree(target, ignore_errors=True)
    return runs
