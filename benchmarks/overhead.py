"""What the lab adds to the user's own training: to a trial that does nothing, and to a training loop as it is.

The loop is a small network on rows of numbers, whose epochs are as short as anybody's: 40 batches of 64 rows. It is run
by hand and as a trial, in turns, and medians are compared. The
trials that do nothing are run on each board, too. `python benchmarks/overhead.py` (four minutes).
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import dropover
from dropover import lab
from dropover.lab.boards import BOARDS
from dropover.lab.study import Study

ROWS = torch.randn(2560, 32, generator=torch.Generator().manual_seed(0))
CLASSES = (ROWS[:, 0] * ROWS[:, 1] > 0).long()
ARMS: dict[str, Any] = {"none": None, "dropout": dropover.Dropout(0.3)}
LIMIT_MS, LIMIT_SHARE = 50, 0.02


class ByHand:
    """What stands in a script without the lab."""

    def regularize(self, model: nn.Module) -> nn.Module:
        """The same layer."""
        dropover.insert(model, {"4": ("before", dropover.Dropout(0.3))})
        return model

    def track(self, items: Iterable[int]) -> Iterator[int]:
        """The items."""
        yield from items

    def log(self, _step: int, **_values: float) -> None:
        """Nothing is kept."""


def nothing(_trial: lab.Trial) -> dict[str, float]:
    """The shortest trial there is."""
    return {"accuracy": 0.5}


def train(trial: Any, epochs: int = 5) -> dict[str, float]:
    """A plain loop over epochs and batches."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(32, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 2))
    model = trial.regularize(net)
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    loader = DataLoader(TensorDataset(ROWS, CLASSES), 64, shuffle=True)
    for epoch in trial.track(range(epochs)):
        for rows, classes in loader:
            loss = nn.functional.cross_entropy(model(rows), classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        trial.log(epoch, train_loss=loss.item())
    return {"loss": loss.item()}


def per_trial(jobs: int, trials: int, log: str = "") -> float:
    """Milliseconds that each further trial takes, start and end left out; on a board until it has written all."""

    def seconds(seeds: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            result = lab.compare(
                nothing, ARMS, seeds=seeds, out=Path(folder), jobs=jobs, log=[log] if log else [], progress=False
            )
            assert not result.failed
            return time.perf_counter() - started

    few, many = trials // 10, trials // 2
    return 1000 * (seconds(many) - seconds(few)) / (2 * (many - few))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200, help="How many trials do nothing.")
    parser.add_argument("--repeats", type=int, default=15, help="How often the loop is run each way.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for jobs in (1, 2):
        spent = per_trial(jobs, options.trials)
        print(f"a trial that does nothing, {jobs} worker{'s' * (jobs > 1)}: {spent:.1f} ms (aim: below {LIMIT_MS})")
    for board in BOARDS.names():
        print(f"the same, 1 worker, on {board}, until it has written all: {per_trial(1, options.trials, board):.1f} ms")
    arms = [{"name": "none", "method": "none"}, {"name": "dropout", "method": "dropout", "p": 0.3}]
    study = Study.model_validate({"trial": {"function": "overhead:train"}, "arms": arms})
    ways: dict[str, list[float]] = {"by hand": [], "as a trial": []}
    for _ in range(options.repeats):
        for way, trial in (("by hand", ByHand()), ("as a trial", lab.Trial(study, "dropout", 0))):
            started = time.perf_counter()
            train(trial)
            ways[way].append(time.perf_counter() - started)
    hand, lab_way = (statistics.median(times) for times in ways.values())
    added = statistics.median(b / a - 1 for a, b in zip(*ways.values(), strict=True))
    print(
        f"training: {1000 * hand:.0f} ms by hand, {1000 * lab_way:.0f} ms as a trial, {100 * added:+.1f} % "
        f"(aim: below {100 * LIMIT_SHARE:g} %)"
    )


if __name__ == "__main__":
    main()
