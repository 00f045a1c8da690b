"""What became slower, against the runs that are recorded in history.jsonl, like with like.

A figure is a time in units of the same run's floor, so that a slower machine or a busy hour changes it little. What it
still varies by is taken from the recorded runs themselves: a figure is called slower where it lies above what one more
run like them would give, but for one run in a hundred over all figures together. The limit is the upper end of a
prediction interval: of Student's t, on logarithms. It knows only the moods of the machine that the recorded runs saw.
"""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from scipy import stats

HISTORY = Path(__file__).parent / "history.jsonl"
LEAST = 5  # recorded runs below which their spread says too little
FALSE_ALARM = 0.01  # of a whole run


@dataclass(frozen=True)
class Circumstances:
    """What a figure depends on beside the code."""

    processor: str
    device: str
    threads: int
    kernels: bool
    torch: str


def record(now: Circumstances, figures: Mapping[str, float], file: Path = HISTORY) -> None:
    """Append a run to the history."""
    entry = asdict(now) | {"floors": {name: round(value, 3) for name, value in figures.items()}}
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(entry) + "\n")


def alike(now: Circumstances, file: Path = HISTORY) -> list[dict[str, float]]:
    """The figures of the runs that were recorded under the same circumstances, oldest first."""
    entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    same = asdict(now).items()
    return [entry["floors"] for entry in entries if same <= entry.items()]


def limit(recorded: Sequence[float], false_alarm: float) -> float:
    """What one more run like the recorded ones exceeds with the probability `false_alarm`."""
    logs = [math.log(value) for value in recorded]
    count = len(logs)
    quantile = float(stats.t.ppf(1 - false_alarm, count - 1))
    return math.exp(statistics.fmean(logs) + quantile * statistics.stdev(logs) * math.sqrt(1 + 1 / count))


def verdict(figures: Mapping[str, float], runs: Sequence[Mapping[str, float]]) -> str:
    """In words, what of `figures` is slower than in the recorded runs."""
    known = {name: [run[name] for run in runs if name in run] for name in figures}
    judged = {name: recorded for name, recorded in known.items() if len(recorded) >= LEAST}
    if not judged:
        return (
            f"{len(runs)} recorded runs with this processor, device, threads, kernels and torch: from {LEAST} on it is "
            "said here what became slower (add one with --record)"
        )
    limits = {name: limit(recorded, FALSE_ALARM / len(judged)) for name, recorded in judged.items()}
    slower = [
        f"  {name}: {figures[name]:.2f}, recorded {min(judged[name]):.2f} to {max(judged[name]):.2f}, "
        f"one more such run at most {most:.2f}"
        for name, most in limits.items()
        if figures[name] > most
    ]
    seen = f"of {len(judged)} figures, against {len(runs)} recorded runs like this one"
    return "\n".join([f"became slower, {seen}:", *slower] if slower else [f"nothing became slower, {seen}"])
