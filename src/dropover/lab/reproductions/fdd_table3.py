"""FDD, table 3: recognition under L∞ attacks of the images that are recognised clean."""

from dropover.lab.reproductions import FDD, reproduces
from dropover.lab.reproductions.parts import fdd
from dropover.lab.reproductions.parts.claims import Claims
from dropover.lab.reproductions.parts.items import Item, Line
from dropover.lab.reproductions.parts.studies import Evidence, set_name

SETS = ("fashion-mnist", "cifar100")


@reproduces(
    FDD,
    "Table 3",
    "accuracy under FGSM, BIM and PGD at several ε, of images recognised clean; checked with a margin loss",
    *fdd.TABLE3,
    deviations=(
        "The paper scales Fashion-MNIST to [0, 1] and ε with it, as here; it does not say how many seeds are in "
        "its figures, nor whether images are clipped to [0, 1] after the attack: here they are.",
    ),
)
def draw(evidence: Evidence) -> list[Item]:
    """Attacks and ε down, arms across, as printed; the margin loss below, and then all as shares of all images."""
    printed = fdd.printed_table3()
    runs = {run.study.data.name: run for run in evidence.runs}
    kept: list[Line] = []
    of_all: list[Line] = []
    for name in dict.fromkeys([*(name for name in runs if name not in SETS), *SETS]):
        where, levels, run = set_name(name), _levels(name), runs.get(name)
        for attack, eps in levels:
            if run is not None or attack != fdd.CHECK:
                ours = {} if run is None else run.figures(fdd.of_correct(attack), eps)
                kept.append(fdd.attack_line(where, attack, eps, ours, printed.get((name, attack, eps), {})))
        if run is not None:
            worst = [("worst", eps) for attack, eps in levels if attack == fdd.CHECK]
            of_all += [
                fdd.attack_line(where, attack, eps, run.figures(attack, eps), {}) for attack, eps in levels + worst
            ]
    claims = [
        fdd.keeps_more(run.data_set, attack, eps, run.figures(fdd.of_correct(attack), eps))
        for name, run in runs.items()
        for attack, eps in _levels(name)
    ]
    return [
        fdd.attack_table(
            "table",
            "Recognition accuracy (%) under L∞ attacks, of the images recognised without one",
            "Data set",
            kept,
            fdd.SAME,
            f"Not in the paper: {fdd.CHECK.upper()}, a margin loss: large logits don't hide from it.",
            says=_checks(evidence),
        ),
        fdd.attack_table(
            "table-of-all",
            "The same as shares of all attacked images, and what is left under every attack",
            "Data set",
            of_all,
            "WORST: right under every attack that ran at that ε, image by image: the figure to believe.",
        ),
        # The paper's "significantly improvement over the baseline approaches in all cases", case by case.
        Claims(claims),
    ]


def _levels(name: str) -> list[tuple[str, float]]:
    """Each attack and ε that the paper prints for a data set, then the margin loss at the same ε.

    For a data set that the paper doesn't have those of its first.
    """
    of_set = name if name in SETS else SETS[0]
    printed = [(attack, eps) for where, attack, eps in fdd.printed_table3() if where == of_set]
    return [*printed, *((fdd.CHECK, eps) for eps in sorted({eps for _, eps in printed}))]


def _checks(evidence: Evidence) -> list[str]:
    """What the margin loss finds out about the paper's attacks, a line for each data set."""
    from dropover.lab.judging import verdicts
    from dropover.lab.judging.comparison import margin_checks

    headlines = {
        run.data_set: verdicts.margin_headline(margin_checks(run.table, run.study, run.attacked))
        for run in evidence.runs
    }
    return [f"{where}: {headline}" for where, headline in headlines.items() if headline]
