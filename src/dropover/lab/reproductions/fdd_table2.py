"""FDD, table 2: recognition rates of eight arms on four data sets."""

from dropover.lab.reproductions import FDD, reproduces
from dropover.lab.reproductions.parts import fdd
from dropover.lab.reproductions.parts.claims import Claims, beats
from dropover.lab.reproductions.parts.items import Item, Table, cells, lines
from dropover.lab.reproductions.parts.studies import Evidence, set_name

ARMS = tuple(fdd.NAMES)
RIVALS = {
    "the original dropout": ("dropout",),
    "no dropout and the other kinds of dropout": ("none", "biased", "spatial", "crossmap"),
}


@reproduces(
    FDD,
    "Table 2",
    "clean accuracy of no dropout, five kinds of dropout and three of FDD",
    *fdd.on_each_set(ARMS, "cifar10", "cifar100", "svhn"),
)
def draw(evidence: Evidence) -> list[Item]:
    """Arms down, data sets across, as printed."""
    printed = fdd.printed_table2()
    ours = {run.study.data.name: run.figures() for run in evidence.runs}
    # A data set that the paper doesn't have comes first, with nothing printed beside it.
    sets = [*(name for name in ours if name not in printed), *printed]
    table = Table(
        "table",
        "Average recognition rates (%), mean ± standard deviation",
        ("", "Methods"),
        [set_name(name) for name in sets],
        lines(
            [("Proposed" if arm in fdd.PROPOSED else "Dropout variants", name) for arm, name in fdd.NAMES.items()],
            [cells(ARMS, ours.get(name, {}), printed.get(name, {}), daggers=fdd.PROPOSED) for name in sets],
        ),
        notes=(
            "Bold: the best of a column. † above the original dropout by Student's t-test at 0.05, unpaired and not "
            "corrected for the number of arms, as the paper has it.",
            fdd.SAME,
        ),
        says=[line for run in evidence.runs for line in run.says(run.figures())],
    )
    claims = [
        beats(f"Every FDD beats {words} ({set_name(name)})", accuracy, fdd.PROPOSED, arms)
        for name, accuracy in ours.items()
        for words, arms in RIVALS.items()
    ]
    return [table, Claims(claims)]
