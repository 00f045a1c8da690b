"""Does a claim of a paper hold on our figures? Judged by paired tests, and left open where the seeds are too few."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from dropover.lab.judging.comparison import Figure
    from dropover.lab.judging.statistics import Difference

HOLDS, FAILS = "holds", "does not hold"
Name = TypeVar("Name")


@dataclass(frozen=True)
class Claim:
    """Something that the paper says, and whether ours bears it out."""

    text: str
    verdict: str
    ours: str


@dataclass(frozen=True)
class Claims:
    """The paper's claims, judged on our figures."""

    claims: Sequence[Claim]
    name: str = "claims"
    title: str = "What the paper claims"


def beats(
    text: str, figures: Mapping[Name, Figure | None], better: Sequence[Name], worse: Sequence[Name], factor: float = 100
) -> Claim:
    """The claim that the figures of some names are above those of others: see `above`."""
    return above(text, [figures.get(name) for name in better], [figures.get(name) for name in worse], factor=factor)


def above(
    text: str, better: Sequence[Figure | None], worse: Sequence[Figure | None], *, of: str = "seed", factor: float = 100
) -> Claim:
    """The claim that each figure of `better` is above each of `worse`.

    Each pair is tested by the exact paired sign-flip test. The claim holds if all pairs are shown to be above, each by
    itself: since it needs them all, chance has no choice among them (the intersection-union test, Berger 1982). It
    fails if any is shown to be below, after Holm's correction over the pairs. Else it is left open.

    Args:
        text: The claim.
        better: Figures that are claimed to be higher, their values in the order of the seeds. None stands for one that
            isn't there: then the claim is left open, as it is of them all.
        worse: Figures that they are claimed to be above, over the same seeds; None as in `better`.
        of: What the values are of, in the singular.
        factor: What a difference is multiplied by when it is shown; 100 makes points of shares.
    """
    from dropover.lab.judging import statistics as st

    pairs = [(a, b) for a in better for b in worse if a is not None and b is not None]
    finite = all(math.isfinite(value) for pair in pairs for figure in pair for value in figure.values)
    absent = not better or not worse or None in (*better, *worse)
    if absent or not finite or any(a.seeds != b.seeds or len(a.values) != len(b.values) for a, b in pairs):
        return Claim(text, "can't be told: some seeds have no figure to compare", "")
    differences = [st.paired_difference(a.values, b.values) for a, b in pairs]
    ps = [st.paired_p(a.values, b.values) for a, b in pairs]
    over = [d.mean > 0 for d in differences]
    if any(p < st.ALPHA and not up for p, up in zip(st.holm(ps), over, strict=True)):
        verdict = FAILS
    elif all(p < st.ALPHA and up for p, up in zip(ps, over, strict=True)):
        verdict = HOLDS
    else:
        n, needed = min(d.n for d in differences), st.pairs_needed()
        seeds = f"{n} {of}{'s' if n != 1 else ''}"
        short = f"can't be told with {seeds} (it takes {needed} at the least)"
        verdict = short if n < needed else f"not shown with {seeds}"
        verdict += "; every difference is the other way round" if all(d.mean < 0 for d in differences) else ""
    ours = (f"{a.arm} − {b.arm}: {_interval(d, factor)}" for (a, b), d in zip(pairs, differences, strict=True))
    return Claim(text, verdict, "; ".join(ours))


def _interval(d: Difference, factor: float) -> str:
    """A difference with its 95 % interval."""
    mean, *ends = (
        "" if value is None else f"{factor * value:+.{1 if factor == 100 else 3}f}" for value in (d.mean, d.low, d.high)
    )
    return f"{mean} [{', '.join(ends)}]" if all(ends) else mean
