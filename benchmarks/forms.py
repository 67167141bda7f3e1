"""The forms of a base backup beside each other: `benchmarks/run --forms`."""
import os
import shutil
import statistics

import common
import turns

# Name, options, whether it goes through a pipe, and the goals: beside receiving and throwing away, or the stock tool.
forms = [
    ("plain", [], False, ("discard", 1.10)),
    ("tar, files", ["-F", "t"], False, ("discard", 1.15)),
    ("tar, a pipe", ["-F", "t"], True, ("discard", 1.20)),
    ("client gzip:1", ["-F", "t", "-Z", "gzip:1"], False, ("stock", 0.65)),
    ("client gzip", ["-F", "t", "-Z", "gzip"], False, ("stock", 0.65)),
    ("client lz4:1", ["-F", "t", "-Z", "lz4:1"], False, ("stock", None)),
    ("client lz4", ["-F", "t", "-Z", "lz4"], False, ("stock", None)),
    ("client zstd:1", ["-F", "t", "-Z", "zstd:1"], False, ("stock", 0.70)),
    ("client zstd", ["-F", "t", "-Z", "zstd"], False, ("stock", 0.70)),
    ("server zstd into plain", ["-Z", "server-zstd"], False, ("stock", None)),
]


def run(options, primary, commands, home):
    connection = f"host=127.0.0.1 port={primary.port} user=postgres"
    target = f"{home}/target"
    discard = turns.discard(home).command(None, primary.port, options)
    results = []
    unsynced = ["--no-sync"] if options.no_sync else []
    for name, words, is_pipe, goal in forms:
        if options.forms not in ("", name):
            continue
        runs = {"discard": [], "pg_basebackup": [], "understudy": []}
        for number in range(options.rounds):
            order = list(runs) if number % 2 == 0 else list(reversed(runs))
            for who in order:
                if who == "discard":
                    row = common.measure(discard, home)
                else:
                    place = "-" if is_pipe else target
                    command = commands[who] + ["-D", place, "-d", connection, "-X", "none", "-c", "fast"] + words + unsynced
                    if is_pipe:
                        command = ["/bin/sh", "-c", 'exec "$@" | cat >/dev/null', "sh"] + command
                    row = common.measure(command, home)
                    if not is_pipe and not os.path.exists(f"{target}/backup_manifest"):
                        common.fail(f"{' '.join(command)} made no backup")
                runs[who].append(row)
                shutil.rmtree(target, ignore_errors=True)
            common.say(f"{name} {number + 1}: " + ", ".join(f"{who} {rows[-1][0]:.2f} s" for who, rows in runs.items()))
        results.append((name, runs, goal))
    return results


def report(results):
    print("| | discarded | `pg_basebackup` | ours | ours / discarded (range) | ours / `pg_basebackup` (range) | goal | peak memory |")
    print("|---|---|---|---|---|---|---|---|")
    for name, runs, (beside, goal) in results:
        wall = {who: [row[0] for row in rows] for who, rows in runs.items()}
        cells = [name] + [f"{statistics.median(wall[who]):.2f} s" for who in ("discard", "pg_basebackup", "understudy")]
        for other in ("discard", "pg_basebackup"):
            ratios = [a / b for a, b in zip(wall["understudy"], wall[other])]
            cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
        cells.append(f"{goal:.2f} of {'discarded' if beside == 'discard' else 'the stock tool'}" if goal else "")
        cells.append(f"{statistics.median(row[2] for row in runs['understudy']):.0f} MiB")
        print("| " + " | ".join(cells) + " |")
