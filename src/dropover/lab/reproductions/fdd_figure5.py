"""FDD, figure 5: rates that fall with the density against rates that rise with it."""

from dropover.lab.reproductions import FDD, reproduces
from dropover.lab.reproductions.parts import fdd
from dropover.lab.reproductions.parts.claims import Claim, Claims, beats
from dropover.lab.reproductions.parts.items import Illustration, Item
from dropover.lab.reproductions.parts.studies import Evidence, Run

NO_DENSITY = (*fdd.BASELINES, "spatial")
POSITIVE = tuple(f"{arm} positive" for arm in fdd.PROPOSED)


@reproduces(
    FDD,
    "Figure 5",
    "clean accuracy of FDD when dense cells are dropped seldom (the method) or often",
    *fdd.on_each_set((*NO_DENSITY, *fdd.PROPOSED, *POSITIVE), "cifar10", "cifar100", "svhn"),
    deviations=("Dots of every seed, not the paper's bars; its figures here are only in the picture, not in print.",),
)
def draw(evidence: Evidence) -> list[Item]:
    """A panel a data set, a row a method, the two signs side by side."""
    import pandas as pd

    from dropover.lab.pictures.plots import dots

    panels = {}
    for run in evidence.runs:
        rows = run.rows("clean")
        panels[run.data_set] = pd.DataFrame(
            {
                "arm": [fdd.NAMES[arm.removesuffix(" positive")] for arm in rows["arm"]],
                "seed": rows["seed"].to_numpy(),
                "group": [_group(arm) for arm in rows["arm"]],
                "value": rows["value"].to_numpy(),
            }
        )
    illustration = Illustration(
        "figure",
        "Recognition accuracy with positive and negative correlation",
        "Each dot is a seed, each bar the mean. Negative: dense cells are dropped with p = 0.1, sparse ones up to 0.9 "
        "(slope -0.8, intercept 0.9); positive: the reverse (0.8, 0.1).",
        dots(panels),
        pd.concat([panel.assign(data=name) for name, panel in panels.items()]),
        says=[line for run in evidence.runs for line in run.says(run.figures())],
    )
    return [illustration, Claims([claim for run in evidence.runs for claim in _claims(run)])]


def _group(arm: str) -> str:
    return "no density" if arm in NO_DENSITY else "positive" if arm in POSITIVE else "negative"


def _claims(run: Run) -> list[Claim]:
    """Each FDD against itself with the other sign; and all of them against the baselines."""
    accuracy = run.figures()
    claims = []
    for arm in fdd.PROPOSED:
        text = f"{fdd.NAMES[arm]} with negative correlation beats positive ({run.data_set})"
        claims.append(beats(text, accuracy, [arm], [f"{arm} positive"]))
    text = f"FDD with negative correlation beats no dropout and the original dropout ({run.data_set})"
    return [*claims, beats(text, accuracy, fdd.PROPOSED, fdd.BASELINES)]
