"""FDD, figure 7: accuracy against ε under FGSM, in L∞ and L2."""

from collections.abc import Sequence
from dataclasses import replace

from dropover.lab.reproductions import FDD, reproduces
from dropover.lab.reproductions.parts import fdd
from dropover.lab.reproductions.parts.claims import Claims
from dropover.lab.reproductions.parts.items import Illustration, Item
from dropover.lab.reproductions.parts.studies import Evidence, Run

ATTACK = "fgsm"
IN_L2 = (f"{ATTACK} l2", f"{fdd.CHECK} l2")


@reproduces(
    FDD,
    "Figure 7",
    "accuracy against ε under FGSM in L∞ and L2; and the same with a margin loss",
    *(each for linf in fdd.TABLE3 for each in (linf, replace(linf, attacks=IN_L2, part="l2"))),
    deviations=("The paper's curves come without printed figures: only their course can be compared. The ε are ours.",),
)
def draw(evidence: Evidence) -> list[Item]:
    """FGSM as in the paper; then the same with a margin loss; then both in figures."""
    curves = [
        (run, attack, run.levels(_measure(run, attack))) for run in evidence.runs for attack in (ATTACK, fdd.CHECK)
    ]
    return [
        _illustration(
            evidence.runs,
            ATTACK,
            "figure",
            "Recognition accuracy against ε under FGSM",
            "Share of the images recognised clean that stay recognised, under FGSM: mean over seeds, the band is one "
            "standard deviation.",
        ),
        _illustration(
            evidence.runs,
            fdd.CHECK,
            "figure-margin",
            "The same under APGD with a margin loss (not in the paper)",
            "What is left of figure 7 under APGD with the difference-of-logits ratio, whose gradient large logits "
            "don't hide.",
        ),
        fdd.attack_table(
            "table",
            "The points of the curves: share (%) of the images recognised clean that stay recognised",
            "Panel",
            [
                fdd.attack_line(_panel(run), attack, eps, run.figures(_measure(run, attack), eps), {})
                for run, attack, levels in curves
                for eps in levels
            ],
            fdd.SAME,
        ),
        # The paper has FDD above the others at the larger intensities: judged at the last of them.
        Claims(
            [
                fdd.keeps_more(_panel(run), attack, levels[-1], run.figures(_measure(run, attack), levels[-1]))
                for run, attack, levels in curves
            ]
        ),
    ]


def _illustration(runs: Sequence[Run], attack: str, name: str, title: str, caption: str) -> Illustration:
    """Curves that all start at 1, where nothing is added to the images."""
    import pandas as pd

    from dropover.lab.pictures.plots import curves

    panels = {}
    for run in runs:
        rows = run.rows(_measure(run, attack)).drop(columns="measure")
        start = rows.drop_duplicates(["arm", "seed"]).assign(level=0.0, value=1.0)
        both = pd.concat([start, rows]).sort_values("level", kind="stable")
        panels[_panel(run)] = both.assign(arm=both["arm"].map(fdd.NAMES))
    data = pd.concat([panel.assign(panel=name) for name, panel in panels.items()])
    return Illustration(name, title, caption, curves(panels, "ε"), data)


def _measure(run: Run, attack: str) -> str:
    return fdd.of_correct(f"{attack} l2" if run.request.part == "l2" else attack)


def _panel(run: Run) -> str:
    return f"{run.data_set}, {'L2' if run.request.part == 'l2' else 'L∞'}"
