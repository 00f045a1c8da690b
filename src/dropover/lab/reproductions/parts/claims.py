"""Does a claim of a paper hold on our figures? Judged by paired tests, and left open where the seeds are too few."""

import math
from collections.abc import Sequence

from dropover.lab.judging import statistics as st
from dropover.lab.judging.comparison import Figure
from dropover.lab.reproductions.parts.items import Claim

HOLDS, FAILS = "holds", "does not hold"


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
    pairs = [(a, b) for a in better for b in worse if a is not None and b is not None]
    known = [math.isfinite(value) for pair in pairs for figure in pair for value in figure.values]
    absent = not better or not worse or None in (*better, *worse)
    if absent or not all(known) or any(not _paired(a, b) for a, b in pairs):
        return Claim(text, "can't be told: some seeds have no figure to compare", "")
    differences = [st.paired_difference(a.values, b.values) for a, b in pairs]
    ps = [st.paired_p(a.values, b.values) for a, b in pairs]
    over = [d.mean > 0 for d in differences]
    if any(p < st.ALPHA and not up for p, up in zip(st.holm(ps), over, strict=True)):
        verdict = FAILS
    elif all(p < st.ALPHA and up for p, up in zip(ps, over, strict=True)):
        verdict = HOLDS
    else:
        verdict = undecided(min(d.n for d in differences), of)
        if all(d.mean < 0 for d in differences):
            verdict += "; every difference is the other way round"
    return Claim(text, verdict, _ours(pairs, differences, factor))


def _paired(a: Figure, b: Figure) -> bool:
    """Whether the values of one belong to those of the other: some trials may have failed, or not be done yet."""
    return len(a.values) == len(b.values) and a.seeds == b.seeds


def undecided(n: int, of: str = "seed") -> str:
    """That a claim is left open with n seeds, and how many it would take at the least."""
    seeds = f"{n} {of}{'s' if n != 1 else ''}"
    needed = st.pairs_needed()
    if n < needed:
        return f"can't be told with {seeds} (it takes {needed} at the least)"
    return f"not shown with {seeds}"


def _ours(pairs: Sequence[tuple[Figure, Figure]], differences: Sequence[st.Difference], factor: float) -> str:
    """Each pair's difference, with its 95 % interval."""
    shown, digits = [], 1 if factor == 100 else 3
    for (a, b), d in zip(pairs, differences, strict=True):
        interval = (
            "" if d.low is None or d.high is None else f" [{factor * d.low:+.{digits}f}, {factor * d.high:+.{digits}f}]"
        )
        shown.append(f"{a.arm} − {b.arm}: {factor * d.mean:+.{digits}f}{interval}")
    return "; ".join(shown)
