"""The page of an audit: one HTML file with the verdict, every check and attack, and the images; nothing to load."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dropover.lab.auditing.checks import Checked
from dropover.lab.auditing.curves import AGAINST_EPS
from dropover.lab.auditing.outcome import Audit
from dropover.lab.auditing.surface import SURFACE
from dropover.lab.auditing.verdict import BROKEN, SUPPORTED, UPPER_BOUND
from dropover.lab.machine import machine, versions
from dropover.lab.pictures.images import adversarial_images
from dropover.lab.pictures.style import address_of
from dropover.lab.report import audit_charts as charts
from dropover.lab.report.templates import environment

NORM_NAMES = {"linf": "L∞", "l2": "L2"}
_SHOWN = 8
_LONGEST = 12
_MEANING = {
    SUPPORTED: "Every check passes: nothing that was tried found the figure to be too high.",
    UPPER_BOUND: "Only an upper bound: a stronger attack may well find less, since a check failed or couldn't be made.",
    BROKEN: "Broken: the adversarial images below, each scored afresh, contradict it.",
}


def render(audit: Audit, title: str, classes: Sequence[str], asked: Mapping[str, Any], date: str) -> str:
    """The whole page as HTML.

    Args:
        audit: What was found.
        title: What the model is called.
        classes: Names of the classes, by their numbers.
        asked: How the model and the images were named, if they were.
        date: When it was finished.
    """
    against, along = (charts.of_kind(audit.curves, kind) for kind in (AGAINST_EPS, charts.ALONG_STEPS))
    return (
        environment(Path(__file__).parent)
        .get_template("auditing.html")
        .render(
            audit=audit,
            title=title,
            asked={name: value for name, value in asked.items() if value is not None},
            date=date,
            of_255=_of_255(audit.eps),
            norm=NORM_NAMES[audit.norm],
            meaning=_MEANING[audit.verdict],
            colors=charts.colors_of(list(against)),
            step_colors=charts.colors_of(list(along)),
            against=charts.against_eps(audit.curves, audit.eps) if against else "",
            along=charts.along_steps(audit.curves) if along else "",
            surface=charts.surface(audit.curves[SURFACE]) if charts.has_surface(audit.curves) else "",
            rows=_rows(audit, classes),
            mark=mark,
            number=number,
            fallen=_fallen(audit),
            circumstances={**versions(), **machine()},
        )
    )


def mark(check: Checked) -> str:
    """A check's outcome in a word."""
    return "not made" if check.passed is None else "passed" if check.passed else "failed"


def number(value: float | None) -> str:
    """A figure or threshold in a few digits."""
    return "–" if value is None else f"{value:.3g}"


def _of_255(eps: float) -> int | None:
    """ε in steps of a byte, where it is whole ones."""
    steps = 255 * eps
    return round(steps) if steps < 255 and abs(steps - round(steps)) < 1e-6 else None


def _fallen(audit: Audit) -> list[tuple[str, int]]:
    """How many images each attempt felled that are down at the end, most first."""
    counts = {name: audit.felled_by.count(name) for name in dict.fromkeys(audit.felled_by) if name}
    return sorted(counts.items(), key=lambda one: -one[1])


def _rows(audit: Audit, classes: Sequence[str]) -> list[dict[str, str]]:
    """Pictures of the images that fell, those of the largest margin first, and of those that stand nearest to it."""
    felled = (audit.right & ~audit.stands).nonzero().squeeze(1)
    standing = audit.stands.nonzero().squeeze(1)
    said = (
        (felled, "Felled", "Images that the model got right and now gets wrong; those it is surest of."),
        (standing, "Standing, but nearly felled", "The images that nothing felled, of the smallest margin."),
    )
    pictures = []
    for which, title, caption in said:
        if len(which):
            chosen = which[audit.margin[which].nan_to_num().argsort(descending=True)[:_SHOWN]]
            pictures.append({"title": title, "caption": caption, "address": _picture(audit, chosen, classes)})
    return pictures


def _picture(audit: Audit, which: Tensor, classes: Sequence[str]) -> str:
    before, after = (_names(each[which], classes) for each in (audit.labels, audit.answers))
    images, adversarial = (each[which] for each in (audit.images, audit.adversarial))
    # Two channels, or more than three, can't be shown: their mean can.
    if images.shape[1] not in (1, 3):
        images, adversarial = (each.mean(1, keepdim=True) for each in (images, adversarial))
    return address_of(adversarial_images(torch.nan_to_num(images), torch.nan_to_num(adversarial), before, after))


def _names(numbers: Tensor, classes: Sequence[str]) -> list[str]:
    names = [classes[int(each)] if int(each) < len(classes) else str(int(each)) for each in numbers]
    return [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in names]
