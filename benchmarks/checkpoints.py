"""What checkpoints cost a training: the share of its time that goes into them, at the pace that studies have.

Each net is trained for the seconds given, on random images; beside the share stand how many checkpoints there were, how
large, and what one takes. `python benchmarks/checkpoints.py` (six minutes).
"""

import argparse
import contextlib
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from timing import keep_freed_memory

from dropover.lab.data import Data
from dropover.lab.models.parts.building import build_model
from dropover.lab.records.checkpoints import Checkpoints
from dropover.lab.study import Study
from dropover.lab.training.loop import train

LIMIT = 0.02
CASES: list[tuple[str, dict[str, Any], str, int, int]] = [
    ("small-cnn", {"width": 0.5}, "sgd", 28, 4000),
    ("small-cnn", {"width": 0.1}, "adam", 28, 200),
    ("resnet18", {"width": 0.25}, "sgd", 32, 4000),
    ("resnet18", {}, "adam", 32, 400),
]
"""Network, its settings, optimizer, side of the images and how many: an epoch of few is over at once."""


class TimeIsUpError(Exception):
    """The training has had its seconds."""


class Timed(Checkpoints):
    """Adds up the time that is spent in it."""

    spent, written, began, limit = 0.0, 0, 0.0, 0.0

    def due(self, *, epoch_ends: bool) -> bool:
        """As ever, until time is up."""
        started = time.perf_counter()
        answer = super().due(epoch_ends=epoch_ends)
        now = time.perf_counter()
        self.spent += now - started
        if now - self.began > self.limit:
            raise TimeIsUpError
        self.asked = now
        return answer

    def write(self, state: Mapping[str, Any]) -> None:
        """As ever; gathering the state, since `due`, counts too."""
        super().write(state)
        self.spent += time.perf_counter() - self.asked
        self.written += 1


def measure(network: str, settings: dict[str, Any], optimizer: str, size: int, count: int, seconds: float) -> str:
    """A line about one training."""
    arms = [{"method": "none"}]
    training = {"epochs": 1_000_000, "optimizer": optimizer, "lr": 1e-4}
    study = Study.model_validate({"model": {"name": network, **settings}, "training": training, "arms": arms})
    images = torch.randint(0, 256, (count, 1, size, size), dtype=torch.uint8)
    labels = torch.arange(count) % 10
    data = Data(images, labels, images[:50], labels[:50], tuple("abcdefghij"))
    model = build_model(study, study.arms[0], 0, data)
    with tempfile.TemporaryDirectory() as folder:
        kept = Timed(Path(folder) / "a.checkpoint")
        kept.began, kept.limit = time.perf_counter(), seconds
        with contextlib.suppress(TimeIsUpError):
            train(model, data, study.training, 0, "none", checkpoints=kept)
        taken = time.perf_counter() - kept.began
        assert kept.path is not None
        megabytes = kept.path.stat().st_size / 1e6 if kept.written else float("nan")
    each = 1000 * kept.spent / max(kept.written, 1)
    name = f"{network} {settings.get('width', 1):g}, {optimizer}, {count} images"
    return (
        f"{name:36} {kept.written:3} in {taken:4.0f} s  {megabytes:6.1f} MB  {each:6.1f} ms each  "
        f"{100 * kept.spent / taken:.2f} %"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=90.0, help="How long each net is trained.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as a study's processes do
    print(f"share of the training's time (aim: below {100 * LIMIT:g} %)")
    for case in CASES:
        print(measure(*case, seconds=options.seconds), flush=True)


if __name__ == "__main__":
    main()
