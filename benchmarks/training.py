"""Images per second of a whole study, against a plain script that trains the same nets one after another.

Both are whole commands, from start to end, imports and the test accuracy after each epoch included; the runs alternate,
and medians are compared. Beside them stands the floor: what the net's convolutions and linear layers take on their own,
which no way of training it can beat, and how near to it the study's training comes while it trains.

The defaults are the full net and the epochs of the built-in study, whose own net is `--width 0.5`. Fewer trials weigh
start-up and report more, which a study has once. Run on a quiet machine, the plain script above all slows down where
anything else runs: `python benchmarks/training.py` (ten minutes on two cores).
"""

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from training_floor import floor

from dropover.lab.machine import usable_cores

IMAGES = 4000
SPEED = "images_per_second"
STUDY = """
name = "throughput"
seeds = {trials}

[model]
name = "small-cnn"
width = {width}

[training]
epochs = {epochs}
batch_size = 64
lr = 0.02

[[arms]]
method = "none"
name = "none"
"""


def seconds(command: list[str]) -> float:
    """Wall time of a command, its output dropped unless it fails."""
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started


def training_speed(results: Path) -> float:
    """Mean images per second of one process while it trains, evaluation, start-up and report left out."""
    with results.open(encoding="utf-8", newline="") as file:
        return statistics.mean(float(row["value"]) for row in csv.DictReader(file) if row["measure"] == SPEED)


def main() -> None:
    """Alternate the two and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    here = Path(__file__).parent
    settings = {name: getattr(options, name) for name in ("width", "epochs", "trials")}
    arguments = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    processes = min(usable_cores(), options.trials)
    plain, study, trained, least = [], [], [], []
    for _ in range(options.repeats):
        plain.append(seconds([sys.executable, str(here / "plain_training.py"), *arguments]))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "study.toml"
            file.write_text(STUDY.format(**settings), encoding="utf-8")
            study.append(seconds([sys.executable, "-m", "dropover", "compare", str(file), "--out", folder]))
            trained.append(processes * training_speed(Path(folder) / "results.csv"))
        least.append(floor(options.width, processes))
    images = IMAGES * options.epochs * options.trials
    print(f"small-cnn, width {options.width:g}: {options.trials} trials of {options.epochs} epochs on {IMAGES} images")
    for name, times in (("plain script", plain), ("dropover compare", study)):
        median = statistics.median(times)
        print(f"{name:18} {median:6.1f} s {images / median:7.0f} images/s  (of {options.repeats} runs, median)")
    ratios = sorted(a / b for a, b in zip(plain, study, strict=True))
    print(f"ratio              {statistics.median(ratios):.2f}, from {ratios[0]:.2f} to {ratios[-1]:.2f}")
    share = statistics.median(a / b for a, b in zip(trained, least, strict=True))
    print(f"products alone              {statistics.median(least):7.0f} images/s, the floor")
    print(f"study while it trains       {statistics.median(trained):7.0f} images/s, {100 * share:.0f} % of that")


if __name__ == "__main__":
    main()
