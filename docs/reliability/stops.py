"""Runs that are killed, and runs that are asked to stop, at random moments."""

import os
import random
import signal
import statistics
import subprocess
import time
from collections import Counter

from ground import BATCHES, FUNCTION, STUDIES, TRIALS, Ground, Say, comparing, demand, ended, living, until_gone

VICTIMS = ("a worker", "the driver", "all")


def killed(ground: Ground, moments: int, say: Say) -> str:
    """`kill -9` at random moments of runs, each of which goes on where the last one was killed."""
    draws, hit, kept, rounds = random.Random(0), Counter[str](), 0, 0
    while hit.total() < moments:
        study, out = STUDIES[rounds % 2], f"killed-{rounds}"
        rounds += 1
        there: dict[str, bytes] = {}
        over = False
        while not over and hit.total() < moments:
            after = draws.uniform(0.1, ground.whole(study)[1] / 2)
            with ground.started(*comparing(study, out)) as process:
                try:
                    process.wait(after)
                    over = True
                except subprocess.TimeoutExpired:
                    hit[_kill(process, VICTIMS[hit.total() % 3])] += 1
                process.communicate()
                until_gone(process.pid)
            there = ground.more_finished(out, there)
            kept += len(list(ground.trials(out).glob("*.checkpoint")))
            say(f"{hit.total()} of {moments}: {study}, {len(there)} of {TRIALS} trials finished")
        ground.ends_as_undisturbed(study, out, there)
    victims = ", ".join(f"{victim} {hit[victim]}" for victim in VICTIMS)
    return f"{hit.total()} moments ({victims}) in {rounds} runs; {kept} times a trial went on from a checkpoint"


def _kill(process: subprocess.Popen[str], victim: str) -> str:
    """Kill one of its workers, itself, or all; itself where it has no worker. Says which it was."""
    forked = {number: parent for number, (parent, line) in living(process.pid).items() if "forkserver" in line}
    workers = sorted(number for number, parent in forked.items() if parent != process.pid)
    if victim == "all":
        os.killpg(process.pid, signal.SIGKILL)
    elif victim == "a worker" and workers:
        os.kill(workers[-1], signal.SIGKILL)
    else:
        process.kill()
        return "the driver"
    return victim


def terminated(ground: Ground, moments: int, say: Say) -> str:
    """SIGTERM to all processes, as clusters send it, in the middle of training; a fifth as many moments."""
    draws, took, rounds, count = random.Random(1), list[float](), 0, max(2, moments // 5)
    ground.whole(FUNCTION)
    before = ground.batches()
    while len(took) < count:
        out, over = f"terminated-{rounds}", False
        rounds += 1
        while not over and len(took) < count:
            at = ground.batches() + draws.randrange(1, 2 * BATCHES)
            with ground.started(*comparing(FUNCTION, out)) as process:
                while ground.batches() < at and not over:
                    time.sleep(0.01)
                    over = process.poll() is not None
                if not over:
                    os.killpg(process.pid, signal.SIGTERM)
                stopped = ended(process, time.monotonic())
                until_gone(process.pid)
            if not over:
                told = (stopped.code, stopped.err.count("\n"), stopped.err[:9])
                demand(told == (143, 1, "Stopped: "), f"exit code {stopped.code}: {stopped.err}")
                took.append(stopped.seconds)
                say(f"{len(took)} of {count}: {stopped.seconds:.1f} s; {stopped.err.partition('. The same')[0]}")
        ground.ends_as_undisturbed(FUNCTION, out)
    twice = ground.batches() - before - rounds * TRIALS * BATCHES
    demand(twice >= 0, "batches are missing")
    seconds = f"exit code 143 after {statistics.median(took):.1f} s, at most {max(took):.1f} s"
    return f"{count} stops: {seconds}; {twice} of {rounds * TRIALS * BATCHES:,} batches were trained on twice"
