"""FDD, table 3: recognition under L∞ attacks of the images that are recognised clean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FDD, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

ARMS = ("none", "dropout", "fdd1d", "spatial", "fdd2d", "fdd3d")
PAPERS = ("fgsm", "bim", "pgd")
CHECK = "apgd-dlr"


def requests(scale: Scale) -> Sequence[Request]:
    """The paper's arms and attacks, and the margin loss; on the paper's two data sets at its own scale."""
    from dropover.lab.reproductions.parts.request import Request

    variants = (None, "cifar100") if scale == "paper" else (None,)
    return [Request("fdd", variant, ARMS, (*PAPERS, CHECK)) for variant in variants]


def draw(outcome: Outcome) -> Sequence[Item]:
    """Attacks and ε down, arms across, as printed; the margin loss below, and then all as shares of all images."""
    from dropover.lab.judging import verdicts
    from dropover.lab.judging.comparison import audits
    from dropover.lab.reproductions.fdd_table2 import SAME
    from dropover.lab.reproductions.parts.cells import NAMES, cells, set_name
    from dropover.lab.reproductions.parts.items import Line, Table
    from dropover.lab.reproductions.parts.outcome import Ran
    from dropover.lab.reproductions.parts.printed import fdd_table3

    printed = fdd_table3()

    def line(ran: Ran | None, name: str, attack: str, eps: float, measure: str) -> Line:
        found = ran.figures(measure, eps) if ran is not None else {}
        there = printed.get((name, attack, eps), {}) if "(of correct)" in measure else {}
        head = (set_name(name), attack.upper(), f"ε = {eps:g}")
        return Line(head, tuple(cells(ARMS, found, there, top=3)), added=attack not in PAPERS)

    ours = {ran.study.data.name: ran for ran in outcome.ran}
    of_correct: list[Line] = []
    of_all: list[Line] = []
    for name in dict.fromkeys([*(name for name in ours if name not in _sets()), *_sets()]):
        wanted = _printed_levels(name)
        ran = ours.get(name)
        checked = sorted({eps for _, eps in wanted}) if ran is not None else []
        for attack, eps in [*wanted, *((CHECK, eps) for eps in checked)]:
            of_correct.append(line(ran, name, attack, eps, f"{attack} (of correct)"))
            if ran is not None:
                of_all.append(line(ran, name, attack, eps, attack))
        if ran is not None:
            of_all += [line(ran, name, "worst", eps, "worst") for eps in checked]
    columns = tuple(NAMES[arm] for arm in ARMS)
    heads = ("Data set", "Attack", "Intensity")
    checks = [
        f"{set_name(ran.study.data.name)}: {told}"
        for ran in outcome.ran
        if (told := verdicts.audit_headline(audits(ran.table, ran.study, ran.attacked)))
    ]
    bold = "Bold: the top three of a row."
    tables: list[Item] = [
        Table(
            "table",
            "Recognition accuracy (%) under L∞ attacks, of the images recognised without one",
            heads,
            columns,
            tuple(of_correct),
            notes=(bold, SAME, f"Not in the paper: {CHECK.upper()}, a margin loss: large logits don't hide from it."),
            says=tuple(checks),
        ),
        Table(
            "table-of-all",
            "The same as shares of all attacked images, and what is left under every attack",
            heads,
            columns,
            tuple(of_all),
            notes=(bold, "WORST: right under every attack that ran at that ε, image by image: the figure to believe."),
        ),
    ]
    return [*tables, _claims(outcome)]


def _claims(outcome: Outcome) -> Item:
    """The paper's "significantly improvement over the baseline approaches in all cases", case by case."""
    from dropover.lab.reproductions.fdd_table2 import PROPOSED
    from dropover.lab.reproductions.parts.cells import set_name
    from dropover.lab.reproductions.parts.claims import above
    from dropover.lab.reproductions.parts.items import Claim, Claims

    judged: list[Claim] = []
    for ran in outcome.ran:
        name = ran.study.data.name
        printed = _printed_levels(name)
        for attack, eps in [*printed, *((CHECK, eps) for eps in sorted({eps for _, eps in printed}))]:
            found = ran.figures(f"{attack} (of correct)", eps)
            own = "" if attack in PAPERS else " (our check, not the paper's claim)"
            judged.append(
                above(
                    f"FDD keeps more than no dropout and the original dropout under {attack.upper()} at ε = {eps:g} "
                    f"({set_name(name)}){own}",
                    [found.get(arm) for arm in PROPOSED],
                    [found.get(arm) for arm in ("none", "dropout")],
                )
            )
    return Claims(judged)


def _printed_levels(name: str) -> list[tuple[str, float]]:
    """Each attack and ε that the paper prints for a data set; for one that it doesn't have, those of its first."""
    from dropover.lab.reproductions.parts.printed import fdd_table3

    here = name if name in _sets() else _sets()[0]
    return [(attack, eps) for where, attack, eps in fdd_table3() if where == here]


def _sets() -> tuple[str, str]:
    return "fashion-mnist", "cifar100"


REPRODUCTIONS.add(
    Reproduction(
        "fdd-table3",
        FDD,
        "Table 3",
        "accuracy under FGSM, BIM and PGD at several ε, of images recognised clean; checked with a margin loss",
        requests,
        draw,
        deviations=(
            "The paper scales Fashion-MNIST to [0, 1] and ε with it, as here; it does not say how many seeds are in "
            "its figures, nor whether images are clipped to [0, 1] after the attack: here they are.",
        ),
    )
)
