"""`dropover compare --until-decided`: how far a study may grow."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from dropover.cli.ending import fail

if TYPE_CHECKING:
    from dropover.lab.growing import Limits
    from dropover.lab.study import Study

MOST_SEEDS = 30
UNITS = {"s": 1, "m": 60, "h": 3600}


def check_options(until_decided: bool, seeds: int | None, margin: float | None, **limits: object) -> None:
    """Leave with a line where options don't go together, or a margin is none."""
    if until_decided and seeds is not None:
        fail("--seeds says how many seeds every arm gets; with --until-decided say --max-seeds, how many it may get")
    for name, value in {"margin": margin, **limits}.items():
        if value is not None and not until_decided:
            fail(f"--{name.replace('_', '-')} belongs to --until-decided: add that option, or leave this one out")
    if margin is not None and not 0 < margin <= 100:
        fail(f"--margin must be a number of points above 0 and at most 100, got {margin:g}")


def limits_of(study: "Study", origin: Path, max_seeds: int | None, budget: str | None) -> "Limits":
    """What the options allow, for this study; leaves with a line where they make no sense."""
    from dropover.lab.growing import Limits
    from dropover.lab.judging.looks import FIRST

    own = len(study.seeds)
    if len(study.arms) < 2:
        fail(f"{origin}: arms: --until-decided compares arms with {study.reference}, and there is no other arm")
    seeds = max(MOST_SEEDS, own) if max_seeds is None else max_seeds
    if seeds < FIRST:
        fail(f"--max-seeds must be at least {FIRST}, where the first look is, got {seeds}")
    if seeds < own:
        fail(f"--max-seeds must be at least {own}, the seeds that {origin} has, got {seeds}")
    return Limits(seeds, None if budget is None else _seconds(budget))


def _seconds(budget: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", budget.strip())
    seconds = float(match[1]) * UNITS[match[2]] if match else 0.0
    if not seconds:
        fail(f"--budget must be a time above 0 such as 90s, 45m or 2h, got {budget!r}")
    return seconds
