"""The figures under attack that the papers' claims rest on, and what audits.py found out about each: audits.csv."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from dropover.lab.auditing.verdict import VerdictName
from dropover.lab.judging.soundness import MARKS

FILE = Path(__file__).parent / "audits.csv"
NOTHING, UNKNOWN = "–", "not audited yet"
"""What is said of a claim that no figure under attack is in, and of figures that were not audited."""


@dataclass(frozen=True, order=True)
class Place:
    """Where a figure is: a study and arm, the rate of its layers at inference if not their own, an attack and its ε."""

    study: str
    arm: str
    rate: float | None
    attack: str
    eps: float


@dataclass(frozen=True)
class Figure:
    """A figure of one net beside its audit; shares of all `images` attacked.

    Attributes:
        norm: The attack's.
        claimed: What the attack left.
        left: What the audit left.
        low, high: The 95 % interval of that.
        unsound: The checks that failed or could not be made.
    """

    place: Place
    seed: int
    norm: str
    images: int
    claimed: float
    left: float
    low: float
    high: float
    verdict: VerdictName
    unsound: tuple[str, ...]


_JOINED = "; "
_AT = [field.name for field in fields(Place)]
COLUMNS = [*_AT, *(field.name for field in fields(Figure) if field.name != "place")]


def places(claim: dict[str, Any]) -> list[Place]:
    """The figures under attack that a claim rests on, as claims.toml names them."""
    return [
        Place(group["study"], arm, group.get("rate"), attack, float(eps))
        for group in claim.get("audited", [])
        for attack, _, eps in (under.rpartition(" ") for under in group["under"])
        for arm in group["arms"]
    ]


def read() -> list[Figure]:
    """Every figure that was audited."""
    if not FILE.exists():
        return []
    table = pd.read_csv(FILE, keep_default_na=False, dtype={"rate": str, "unsound": str})
    found = []
    for row in table.to_dict("records"):
        at = {str(name): row.pop(name) for name in _AT}
        unsound = tuple(filter(None, row.pop("unsound").split(_JOINED)))
        place = Place(**{**at, "rate": float(at["rate"]) if at["rate"] else None})
        found.append(Figure(place=place, unsound=unsound, **{str(name): value for name, value in row.items()}))
    return found


def write(figures: Iterable[Figure]) -> None:
    """Make the table of these figures."""
    rows = [(*astuple(each.place), *astuple(each)[1:-1], _JOINED.join(each.unsound)) for each in figures]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(FILE, index=False)


def said(claim: dict[str, Any]) -> str:
    """The audits of a claim, such as "**broken**. FGSM 0.12: none 0.5 ≤, left 0.0 (order); fdd1d 40.5 ✗, left 0.0"."""
    wanted = places(claim)
    if not wanted:
        return NOTHING
    there = [each for each in read() if each.place in wanted]
    if not there:
        return UNKNOWN
    told = [
        f"{attack.upper()} {eps:g}: {'; '.join(_of_seeds(place, there) for place in group)}"
        for (attack, eps), group in groupby(wanted, lambda place: (place.attack, place.eps))
    ]
    return f"**{_worst(there)}**. {'. '.join(told)}"


def _of_seeds(place: Place, figures: Sequence[Figure]) -> str:
    """A figure and what is left of it, means over seeds, with the worst verdict and the checks that did not pass."""
    here = [each for each in figures if each.place == place]
    name = place.arm if place.rate is None else f"{place.arm} at {place.rate:g}"
    if not here:
        return f"{name} {UNKNOWN}"
    claimed = 100 * math.fsum(each.claimed for each in here) / len(here)
    left = 100 * math.fsum(each.left for each in here) / len(here)
    unsound = ", ".join(dict.fromkeys(check for each in here for check in each.unsound))
    return f"{name} {claimed:.1f} {MARKS[_worst(here)]}, left {left:.1f}{f' ({unsound})' if unsound else ''}"


def _worst(figures: Sequence[Figure]) -> VerdictName:
    return max((each.verdict for each in figures), key=list(MARKS).index)
