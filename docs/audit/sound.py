"""Audit nets that hide nothing, and write how near each check came to failing them into docs/audit.md.

python docs/audit/sound.py
"""

import multiprocessing
import os
import re
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import torch
from panel import PAGE, SEEDS
from training import data, trained

from dropover import lab
from dropover.lab.auditing.checks import Checked

SOUND: dict[str, tuple[float, ...]] = {
    "pgd-weak": (0.1, 0.2),
    "pgd": (0.2,),
    "pgd-dropout": (0.2,),
    "plain": (0.02, 0.05, 0.1),
    "flipover": (0.02, 0.05),
    "dropout": (0.03, 0.08),
    "fdd1d": (0.02,),
}
"""The trained nets of the panel, without masks, and radii in L∞ at which they keep more than guessing."""
HEAD = ["| check | worst of all audits | threshold |", "|---|---|---|"]


def main() -> None:
    """Audit them all, write the table, and exit with 1 if a check failed."""
    jobs = [(name, seed, eps) for name, radii in SOUND.items() for seed in SEEDS for eps in radii]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        made = list(pool.map(checks_of, *zip(*jobs, strict=True)))
    failed = [(job, each.name) for job, checks in zip(jobs, made, strict=True) for each in checks if not each.passed]
    for (name, seed, eps), check in failed:
        print(f"{name}, seed {seed}, ε = {eps:g}: {check}", file=sys.stderr)
    text = PAGE.read_text(encoding="utf-8")
    found = re.search("<!-- sound -->\n(.*?)<!-- end of sound -->", text, re.DOTALL)
    if found is None:
        raise ValueError(f"{PAGE} has no table between <!-- sound --> and <!-- end of sound -->")
    said = f"{len(jobs)} audits, {len({job for job, _ in failed})} with a check that failed."
    lines = ["<!-- sound -->", said, "", *HEAD, *rows(made), "<!-- end of sound -->"]
    PAGE.write_text(text[: found.start()] + "\n".join(lines) + text[found.end() :], encoding="utf-8")
    sys.exit(bool(failed))


def checks_of(name: str, seed: int, eps: float) -> tuple[Checked, ...]:
    """The checks of one net's quick audit."""
    torch.set_num_threads(1)
    return lab.audit(trained(name, seed), data().test_images, data().test_labels, eps=eps).checks


def rows(made: Sequence[Sequence[Checked]]) -> list[str]:
    """Of each check the figure that came nearest to failing, and the threshold that it was held to."""
    lines = []
    for of_check in zip(*made, strict=True):
        there = [(each.figure, each.threshold) for each in of_check if each.figure is not None and each.threshold]
        # What passes by being exact has a threshold of 0, and no way to come near it.
        if there:
            at_least = all(figure >= threshold for figure, threshold in there) and there[0][0] > there[0][1]
            figure, threshold = (min if at_least else max)(there, key=lambda pair: pair[0] / pair[1])
            lines.append(f"| {of_check[0].name} | {figure:.3g} | {threshold:.3g}{' at least' if at_least else ''} |")
    return lines


if __name__ == "__main__":
    main()
