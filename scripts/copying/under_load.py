"""Copies that are taken under a load of changes."""
import collections
import time

import check
import common
import load
from stage import Stage


def run(options, home, stages):
    stage = Stage(options, home)
    stages.append(stage)
    load.fill(stage)
    rounds, all_tags, tables = options.rounds or 3, collections.Counter(), 0
    for number in range(rounds):
        work = load.Load(stage, f"{options.seed} {number}")
        try:
            stage.pause(0.5, 3)
            is_standby = take(stage, number)
            if is_standby:
                check.wait_for_stream(stage, stage.copy)
                stage.pause(0, 2)
        finally:
            tags, errors = work.end()
        all_tags += tags
        for text in errors[:5]:
            common.say(f"the load was refused something: {text}")
        if is_standby:
            check.wait_for_replay(stage, stage.copy)
            tables += check.compare(stage.primary, stage.copy)
            check.promote_and_look(stage, stage.copy)
        else:
            check.look(stage, stage.copy)
        stage.settle()
        load.clear(stage)
        common.say(f"{number + 1} of {rounds} copies are right; the load: {told(tags)}")
    return f"{rounds} copies, {tables} tables compared; the load: {told(all_tags)}"


def take(stage, number):
    """A copy, verified and started; whether it is a standby."""
    stage.fresh_target()
    is_standby = number % 3 != 2
    # Some slow ones, which see more of the load.
    limit = ["-r", f"{stage.random.randrange(20, 60)}M"] if stage.random.random() < 0.6 else []
    begin = time.monotonic()
    child = stage.copying(
        *limit, *(["--slot", f"copy{number}"] if is_standby else ["-X", "stream"]),
        command="clone" if is_standby else "basebackup",
    )
    stage.wait(child)
    common.say(
        f"{number + 1}: a {'standby' if is_standby else 'backup'} in {time.monotonic() - begin:.1f} s"
        f"{' at ' + limit[1] if limit else ''}"
    )
    check.verify_files(stage)
    stage.start_copy()
    return is_standby


def told(tags):
    return ", ".join(f"{count} {tag}" for tag, count in sorted(tags.items())) or "nothing"
