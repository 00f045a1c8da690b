"""What each engine adds to a trial that does nothing, with workers that are there already.

`python benchmarks/engines.py` (a minute on two idle cores): two trials at a time, in processes of this machine and on a
Ray of its own. The aim is below 150 ms a trial on Ray.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from overhead import ARMS, nothing

from dropover.lab.comparing import run
from dropover.lab.running.engines import Engine
from dropover.lab.running.engines.choosing import Choice
from dropover.lab.study import Study

LIMIT_MS = 150
JOBS = 2


def study(seeds: int) -> Study:
    """One whose trials do nothing."""
    arms = [{"name": "none", "method": "none"}, {"name": "dropout", "method": "dropout", "p": 0.3}]
    return Study.model_validate({"trial": {"function": f"overhead:{nothing.__name__}"}, "arms": arms, "seeds": seeds})


@contextmanager
def opened(name: str) -> Iterator[Engine]:
    """An engine for these studies."""
    choice = Choice(name, jobs=JOBS)
    with choice.opened([choice.placed(study(1))]) as (engine, _):
        yield engine


def seconds(engine: Engine, seeds: int) -> float:
    """How long so many seeds take, once the workers are there."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        result = run(study(seeds).model_copy(update={"device": "cpu"}), Path(folder), JOBS, engine=engine)
        assert not result.failed
        return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100, help="How many seeds the longer study has.")
    options = parser.parse_args()
    few, many = max(options.seeds // 10, 1), options.seeds
    for name in ("local", "ray"):
        with opened(name) as engine:
            seconds(engine, few)
            difference = seconds(engine, many) - seconds(engine, few)
        each = 1000 * difference / (len(ARMS) * (many - few))
        print(f"a trial that does nothing, engine {name}, {JOBS} at a time: {each:.1f} ms")
    print(f"(aim: below {LIMIT_MS} ms on Ray)")


if __name__ == "__main__":
    main()
