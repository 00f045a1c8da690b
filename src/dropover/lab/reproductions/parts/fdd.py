"""What the FDD paper's tables and figures share: its arms and data sets, what it prints, and its rows of attacks."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from dropover.lab.reproductions.parts.claims import Claim, beats
from dropover.lab.reproductions.parts.items import Line, Printed, Table, cells
from dropover.lab.reproductions.parts.studies import Request

if TYPE_CHECKING:
    from dropover.lab.judging.comparison import Figure

NAMES = {
    "none": "Non-dropout",
    "dropout": "Original",
    "biased": "Biased",
    "spatial": "Spatial",
    "crossmap": "Crossmap",
    "fdd1d": "FDD-1D",
    "fdd2d": "FDD-2D",
    "fdd3d": "FDD-3D",
}
"""The paper's names of its arms, in the order of its table 2."""
PROPOSED = ("fdd1d", "fdd2d", "fdd3d")
BASELINES = ("none", "dropout")
ATTACKED = ("none", "dropout", "fdd1d", "spatial", "fdd2d", "fdd3d")
"""The arms that it attacks, in its order."""
PAPERS_ATTACKS = ("fgsm", "bim", "pgd")
CHECK = "apgd-dlr"
"""Our own attack beside them, on a margin loss."""
SAME = (
    "Original and Spatial are one method here: a map that is dropped before the average pool is its pooled feature "
    "dropped. Arms share their random numbers, so ours agree to rounding; the paper's two differ by chance alone."
)


def on_each_set(arms: tuple[str, ...], *others: str, attacks: tuple[str, ...] = ()) -> tuple[Request, ...]:
    """A request for the study's own data set, and at the paper's scale for its other ones too."""
    more = (Request("fdd", variant, arms, attacks, scales=("paper",)) for variant in others)
    return (Request("fdd", None, arms, attacks), *more)


TABLE3 = on_each_set(ATTACKED, "cifar100", attacks=(*PAPERS_ATTACKS, CHECK))
"""What table 3 needs, and figure 7 among others."""


def printed_table2() -> dict[str, dict[str, Printed]]:
    """Data set, then arm, to the recognition rate."""
    table = _reported()["table2_accuracy"]
    return {
        name: {arm: Printed(table["mean"][arm][i], table["spread"][arm][i]) for arm in NAMES}
        for i, name in enumerate(table["datasets"])
    }


def printed_table3() -> dict[tuple[str, str, float], dict[str, Printed]]:
    """Data set, attack and ε, then arm, to the share of the correctly recognised images that stays right."""
    table = _reported()["table3_robust_accuracy_linf"]
    return {
        (name, attack, float(eps)): dict(zip(table["columns"], map(Printed, values), strict=True))
        for name in ("fashion-mnist", "cifar100")
        for attack, levels in table[name].items()
        for eps, values in levels.items()
    }


def printed_entropies() -> dict[str, Printed]:
    """Density group to the entropy of its averaged heat map (figure 3)."""
    entropies = _reported()["fig3_heatmap_entropy"]
    return {"low": Printed(entropies["low_density"]), "high": Printed(entropies["high_density"])}


@functools.cache
def _reported() -> dict[str, Any]:
    """All that is written down of the paper's figures."""
    path = resources.files("dropover.lab") / "reproductions" / "reported.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["fdd"]
    return content


def of_correct(attack: str) -> str:
    """The measure of what an attack leaves of the images that are recognised clean."""
    return f"{attack} (of correct)"


def attack_line(
    where: str, attack: str, eps: float, ours: Mapping[str, Figure], printed: Mapping[str, Printed]
) -> Line:
    """A row of what the attacked arms keep, the best three in bold."""
    head = (where, attack.upper(), f"ε = {eps:g}")
    return Line(head, cells(ATTACKED, ours, printed, top=3), added=attack not in PAPERS_ATTACKS)


def attack_table(
    name: str, title: str, head: str, lines: Sequence[Line], *notes: str, says: Sequence[str] = ()
) -> Table:
    """A table of such rows."""
    heads, columns = (head, "Attack", "Intensity"), [NAMES[arm] for arm in ATTACKED]
    return Table(name, title, heads, columns, lines, ("Bold: the top three of a row.", *notes), says)


def keeps_more(where: str, attack: str, eps: float, ours: Mapping[str, Figure]) -> Claim:
    """The paper's claim of each FDD against no dropout and the original dropout, under an attack."""
    check = "" if attack in PAPERS_ATTACKS else " (our check, not the paper's claim)"
    text = f"FDD keeps more than no dropout and the original dropout under {attack.upper()} at ε = {eps:g} ({where})"
    return beats(f"{text}{check}", ours, PROPOSED, BASELINES)
