"""Flipover, table 4: a small vision transformer with flipover in several places."""

from dropover.lab.reproductions import FLIPOVER, reproduces
from dropover.lab.reproductions.parts.claims import Claims, beats
from dropover.lab.reproductions.parts.flipover import ATTACK, ATTACKS, CHECK, EPS
from dropover.lab.reproductions.parts.items import Item, Table, cells, lines
from dropover.lab.reproductions.parts.studies import Evidence, Request

ARMS = {
    "none": "No regularization",
    "dropout": "Dropout",
    "flipover for dropout": "Flipover in place of every dropout",
    "flipover after MLP": "Flipover after the MLP",
    "flipover on attention": "Flipover on attention weights",
    "flipover on embeddings": "Flipover on the embeddings",
}


@reproduces(
    FLIPOVER,
    "Table 4",
    "a small vision transformer without regularization, with dropout, and with flipover in four places",
    Request("flipover-vit", None, tuple(ARMS), ATTACKS),
    deviations=("Rates and amplitude are not in the text at hand: 0.1 and 0.5 here, on raw weights and features.",),
)
def draw(evidence: Evidence) -> list[Item]:
    """Places down; clean and attacked accuracy across."""
    run = evidence.runs[0]
    attacks = [(attack.label, eps) for attack in run.study.evaluation.attacks for eps in attack.eps]
    accuracy = {at: run.figures(*at) for at in [("clean", None), *attacks]}
    table = Table(
        "table",
        f"Accuracy (%) of vit-small on {run.data_set}, clean and under attack",
        ("Method",),
        ["Clean" if eps is None else f"{name.upper()} {eps:g}" for name, eps in accuracy],
        lines([(words,) for words in ARMS.values()], [cells(tuple(ARMS), each, {}) for each in accuracy.values()]),
        notes=(
            f"Bold: the best of a column. The article's ε is {EPS:g}; smaller ones, and {CHECK.upper()}, are ours. Its "
            "own figures are not in the text at hand.",
        ),
        says=[f"{name}: {line}" for (name, _), figures in accuracy.items() for line in run.says(figures)],
    )
    attacked = accuracy[ATTACK, EPS]
    claims = [
        beats(f"{words} keeps more under FGSM at ε = {EPS:g} than no regularization", attacked, [arm], ["none"])
        for arm, words in ARMS.items()
        if arm.startswith("flipover")
    ]
    return [table, Claims(claims)]
