"""One stream and many connections beside each other: `benchmarks/run --jobs`."""
import json
import os
import statistics

import common
import network
import turns


def settings(options, primary):
    """Each state of the page checksums that is asked for, with the server in it."""
    wanted = {"both": ["off", "on"], None: [primary.sql("SHOW data_checksums")]}
    for state in wanted.get(options.page_checksums, [options.page_checksums]):
        if primary.sql("SHOW data_checksums") != state:
            common.say(f"turning page checksums {state}")
            primary.stop("fast")
            primary.call("pg_checksums", "--enable" if state == "on" else "--disable", "-D", primary.data, "--no-sync")
            primary.start()
        yield state


def run(options, primary, contenders, home):
    """For each state of the page checksums what turns.take gives."""
    if primary.version() >= 15:
        contenders = {"discarded": turns.discard(home), **contenders}
    proxy = None
    if options.network:
        proxy = network.Proxy(primary.port, rate=options.network * 1e6)
        proxy.start()
    try:
        port = proxy.port if proxy else None
        return {state: turns.take(options, primary, contenders, home, port) for state in settings(options, primary)}
    finally:
        if proxy:
            proxy.stop()


def report(results, size):
    gigabytes = size / 1e9
    for state, runs in results.items():
        print(f"\nPage checksums {state}:\n")
        print(
            "| | wall | GB/s | client CPU per GB | server CPU per GB | peak memory | wall beside `understudy`, median of the"
            " pairs (range) | beside `pg_basebackup` | beside `--jobs` of the first |\n|---|---|---|---|---|---|---|---|---|"
        )
        first = next(name for name in runs if name.startswith("--jobs"))
        for name, rows in runs.items():
            wall, client, peak, server = (statistics.median(column) for column in zip(*rows))
            cells = [name, f"{wall:.2f} s", f"{gigabytes / wall:.2f}", f"{client / gigabytes:.2f} s"]
            cells += [f"{server / gigabytes:.2f} s", f"{peak:.0f} MiB"]
            cells += [ratio(rows, runs[other]) for other in ("understudy", "pg_basebackup", first)]
            print("| " + " | ".join(cells) + " |")


def ratio(rows, others):
    ratios = [row[0] / other[0] for row, other in zip(rows, others)]
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"


def write(options, conditions, size, count, results):
    """What `benchmarks/plot` reads: each row is wall, client's CPU (seconds), peak memory (MiB), server's CPU (seconds)."""
    figures = {
        "command": command(options),
        "conditions": conditions,
        "cores": len(os.sched_getaffinity(0)),
        "bytes": size,
        "files": count,
        "megabytes_per_second_of_a_connection": options.network,
        "page_checksums": results,
    }
    with open(options.output, "w") as file:
        file.write(text_of(figures) + "\n")


def command(options):
    """What was run, without this machine's paths."""
    words = ["benchmarks/run", "--jobs", options.jobs, "--rounds", str(options.rounds), "--scale", str(options.scale)]
    for name, value in (("--page-checksums", options.page_checksums), ("--network", options.network and f"{options.network:g}")):
        words += [name, value] if value else []
    return " ".join(words + (["--no-sync"] if options.no_sync else []))


def text_of(figures):
    """JSON with each contender on a line of its own."""
    results = figures["page_checksums"]
    head = json.dumps({name: value for name, value in figures.items() if name != "page_checksums"}, indent=1)
    states = []
    for state, runs in results.items():
        lines = [
            f"   {json.dumps(name)}: {json.dumps([[round(value, 3) for value in row] for row in rows])}"
            for name, rows in runs.items()
        ]
        states.append(f"  {json.dumps(state)}: {{\n" + ",\n".join(lines) + "\n  }")
    return head.rstrip("\n}") + ',\n "page_checksums": {\n' + ",\n".join(states) + "\n }\n}"
