"""A results' folder of many trials that do nothing: how long a rerun, the answer and the page take.

`python benchmarks/keeping.py` writes 10,000 trials (a minute), takes stock of them, answers and draws.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dropover
from dropover import lab
from dropover.lab.comparing import compare, run
from dropover.lab.records.rows import Row
from dropover.lab.records.store import write_trial
from dropover.lab.records.trials import trials_of
from dropover.lab.running.runner import run_study
from dropover.lab.study import Study
from dropover.lab.telling.live import live

ARMS: dict[str, Any] = {"none": None, "dropout": dropover.Dropout(0.3), "flipover": dropover.Flipover(0.2)}
ARMS |= {f"dropout {share}": dropover.Dropout(share) for share in (0.1, 0.2)}
LIMIT = 10.0


def nothing(_trial: lab.Trial) -> dict[str, float]:
    """The shortest trial there is."""
    return {"accuracy": 0.5}


@contextmanager
def timed(what: str, limit: float = float("inf")) -> Iterator[None]:
    """Print how long what is inside took, and whether that is too long."""
    started = time.perf_counter()
    yield
    seconds = time.perf_counter() - started
    print(f"{what:<40} {seconds:8.2f} s{'' if seconds < limit else f', over {limit:g} s'}", flush=True)


def study_of(trials: int) -> Study:
    """A study of so many trials, which run nothing."""
    with tempfile.TemporaryDirectory() as folder:
        first = compare(nothing, ARMS, seeds=1, out=folder, jobs=1, progress=False)
    return first.study.model_copy(update={"seeds": list(range(trials // len(ARMS)))})


def main() -> None:
    """Write the trials, and time each thing that is done with them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    study = study_of(parser.parse_args().trials)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with timed("writing"):
            for number, key in enumerate(trials_of(study)):
                rows = [Row("accuracy", None, 0.5 + number % 97 / 1000), Row("loss", None, 1.0 + number % 89 / 1000)]
                write_trial(folder, study, key, rows, 0.1)
        with timed("a run that finds all of it", LIMIT):
            found = run(study, folder, 1, live)
        assert (len(found.run.finished), found.run.failed) == (found.run.total, [])
        with timed("the answer, the page and all tables", LIMIT):
            found.save(folder)
        more = study.model_copy(update={"seeds": [*study.seeds, len(study.seeds)]})
        with timed("a look that finds all but one seed", LIMIT):
            run_study(more, folder, 1, time_is_up=lambda: True)
        other = study.model_copy(update={"device": "cpu", "precision": "bf16"})
        with timed("a look that finds all of it outdated", LIMIT):
            run_study(other, folder, 1, time_is_up=lambda: True)
    with tempfile.TemporaryDirectory() as place, timed("running a fifth as many, in one process"):
        run(study.model_copy(update={"seeds": study.seeds[: len(study.seeds) // 5]}), Path(place), 1)


if __name__ == "__main__":
    main()
