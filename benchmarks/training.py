"""Images per second of a whole study, against a plain script that trains the same nets one after another.

Both are whole commands, from start to end, imports and the test accuracy after each epoch included; the runs alternate,
and medians are compared. The defaults are the net and the epochs of the built-in study; `--width 1 --epochs 4` is the
full net. Run on a quiet machine: `python benchmarks/training.py`.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMAGES = 4000
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


def main() -> None:
    """Alternate the two and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=float, default=0.5)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    here = Path(__file__).parent
    settings = {name: getattr(options, name) for name in ("width", "epochs", "trials")}
    arguments = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    plain, study = [], []
    for _ in range(options.repeats):
        plain.append(seconds([sys.executable, str(here / "plain_training.py"), *arguments]))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "study.toml"
            file.write_text(STUDY.format(**settings), encoding="utf-8")
            study.append(seconds([sys.executable, "-m", "dropover", "compare", str(file), "--out", folder]))
    images = IMAGES * options.epochs * options.trials
    print(f"small-cnn, width {options.width:g}: {options.trials} trials of {options.epochs} epochs on {IMAGES} images")
    for name, times in (("plain script", plain), ("dropover compare", study)):
        median = statistics.median(times)
        print(f"{name:18} {median:6.1f} s {images / median:7.0f} images/s  (of {options.repeats} runs, median)")
    ratios = sorted(a / b for a, b in zip(plain, study, strict=True))
    print(f"ratio              {statistics.median(ratios):.2f}, from {ratios[0]:.2f} to {ratios[-1]:.2f}")


if __name__ == "__main__":
    main()
