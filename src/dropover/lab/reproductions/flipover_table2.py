"""Flipover, table 2: accuracy under noise."""

from dropover.lab.reproductions import FLIPOVER, reproduces
from dropover.lab.reproductions.parts import flipover
from dropover.lab.reproductions.parts.claims import Claim, Claims, beats
from dropover.lab.reproductions.parts.items import Cell, Item, Table, cells, lines
from dropover.lab.reproductions.parts.studies import Evidence, Request

RESNET_ARMS = ("none", *flipover.with_rates("dropout", 0.1, 0.3, 0.5), *flipover.with_rates("flipover", 0.1, 0.2, 0.3))


@reproduces(
    FLIPOVER,
    "Table 2",
    "accuracy of both networks under Gaussian, Poisson and salt-and-pepper noise",
    Request("flipover-cnn", None, flipover.CNN_ARMS, noise=True),
    Request("flipover-resnet", None, RESNET_ARMS, noise=True),
    deviations=(
        "The article prints no rates beside its claim on noise: judged by flipover 0.2 against no regularization "
        "and dropout 0.5, the two that it compares elsewhere.",
        "The article does not say whether noisy pixels are clipped to [0, 1]: here they are.",
    ),
)
def draw(evidence: Evidence) -> list[Item]:
    """Methods and rates down, networks and noises across."""
    columns: dict[str, tuple[Cell, ...]] = {}
    claims: list[Claim] = []
    says: list[str] = []
    for run in evidence.runs:
        where = f"{run.study.model.name}, {run.data_set}"
        columns[f"{where}: clean"] = cells(flipover.CNN_ARMS, run.figures(), {})
        noises = [(name, level) for name, levels in run.study.evaluation.noise.items() for level in levels]
        for name, level in noises:
            accuracy, title = run.figures(name, level), f"{where}: {name} {level:g}"
            columns[title] = cells(flipover.CNN_ARMS, accuracy, {})
            text = f"Flipover beats no regularization and dropout ({title})"
            claims.append(beats(text, accuracy, ["flipover 0.2"], ["none", "dropout 0.5"]))
            says += [f"{name} {level:g}: {line}" for line in run.says(accuracy)]
    table = Table(
        "table",
        "Accuracy (%) on noisy test images",
        ("Method", "Rate"),
        list(columns),
        lines([flipover.words(arm) for arm in flipover.CNN_ARMS], list(columns.values())),
        notes=("Bold: the best of a column. The article's own figures are not in the text at hand.",),
        says=says,
    )
    return [table, Claims(claims)]
