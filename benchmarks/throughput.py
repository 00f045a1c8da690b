"""How much more two workers do than one, and whether memory stays what it is: real trials on real digits.

`python benchmarks/throughput.py` runs 12 trials by one worker and by two in turns, five times each, and then 52 by two:
some ten minutes on two cores that are free. Aim: 1.8 times as many trials an hour, and no more memory after 50 trials
than after 5.
"""

import argparse
import multiprocessing
import os
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from dropover.lab.running.events import Ended, Event
from dropover.lab.running.runner import run_study
from dropover.lab.study import Study

ARMS: list[dict[str, Any]] = [
    {"method": "none"},
    {"method": "dropout", "p": 0.5},
    {"method": "flipover", "p": 0.2},
    {"method": "fdd2d"},
]
AIM = 1.8
FIRST, LATER = 5, 50
"""After how many trials memory is looked at."""


def study_of(trials: int) -> Study:
    """So many trials of the kind that `make compare` runs, each a few seconds long."""
    raw = {
        "data": {"name": "mnist-5k", "train_limit": 2000, "test_limit": 200},
        "model": {"width": 0.5},
        "training": {"epochs": 3, "lr": 0.02},
        "evaluation": {"attacks": [{"name": "pgd", "eps": [0.1]}]},
        "arms": ARMS,
        "reference": "none",
        "seeds": trials // len(ARMS),
    }
    return Study.model_validate(raw)


def an_hour(trials: int, jobs: int) -> float:
    """How many trials an hour are run once each worker has ended its first one: starting up is not counted."""
    ends: list[float] = []

    def hear(event: Event) -> None:
        if isinstance(event, Ended):
            ends.append(time.monotonic())

    with tempfile.TemporaryDirectory() as folder:
        run = run_study(study_of(trials), Path(folder), jobs, hear)
    assert not run.failed, run.failed
    return 3600 * (len(ends) - jobs) / (ends[-1] - ends[jobs - 1])


def memory(trials: int, jobs: int) -> dict[int, dict[str, float]]:
    """MB resident in the driver, and in the largest worker, after some trials."""
    found: dict[int, dict[str, float]] = {}
    ended = 0

    def hear(event: Event) -> None:
        nonlocal ended
        if isinstance(event, Ended):
            ended += 1
            if ended in (FIRST, LATER):
                workers = [resident(child.pid) for child in multiprocessing.active_children() if child.pid]
                found[ended] = {"driver": resident(os.getpid()), "largest worker": max(workers)}

    with tempfile.TemporaryDirectory() as folder:
        run_study(study_of(trials), Path(folder), jobs, hear)
    return found


def resident(process: int) -> float:
    """MB of a process's memory that are in the machine's."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s*(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def main() -> None:
    """Measure and print, and exit with 1 if two workers do less than is aimed at."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=12, help="of each run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-memory", action="store_true", help="leave the 52 trials out")
    asked = parser.parse_args()
    ratios = []
    for number in range(asked.rounds):
        # In turns, and each first in turn: a machine that slows down slows both.
        order = (1, 2) if number % 2 == 0 else (2, 1)
        speed = {jobs: an_hour(asked.trials, jobs) for jobs in order}
        ratios.append(speed[2] / speed[1])
        print(f"1 worker {speed[1]:.0f}, 2 workers {speed[2]:.0f} trials an hour: {ratios[-1]:.2f}", flush=True)
    ratio = statistics.median(ratios)
    print(f"median of {asked.rounds}: {ratio:.2f} times one worker's, aim {AIM}")
    if not asked.no_memory:
        found = memory(LATER + LATER % len(ARMS), 2)
        for who in ("driver", "largest worker"):
            print(f"{who}: {found[FIRST][who]:.0f} MB after {FIRST} trials, {found[LATER][who]:.0f} MB after {LATER}")
    raise SystemExit(ratio < AIM)


if __name__ == "__main__":
    main()
