"""The page: one HTML file with the answer, the table, the pictures and every arm's card, and nothing to load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dropover.lab.attacks.parts.task import PIXELS
from dropover.lab.judging import verdicts
from dropover.lab.judging.comparison import CLEAN, Audit, Column, attacks_in, audits, columns, figures, worst_levels
from dropover.lab.measuring.robustness import WORST, norm_of
from dropover.lab.models.parts.building import NONE, positions_of
from dropover.lab.report import charts
from dropover.lab.report.templates import environment
from dropover.lab.study import Arm, AttackSettings, Study
from dropover.methods import METHODS, Card


@dataclass(frozen=True)
class Picture:
    """A chart and what it shows in words."""

    svg: str
    title: str
    description: str


@dataclass(frozen=True)
class Section:
    """An arm's part of the page: what it is, what its figures say, and its method's card."""

    label: str
    color: str
    settings: str
    verdicts: list[str]
    robustness: list[str]
    card: Card | None


@dataclass(frozen=True)
class Circumstances:
    """What the page says about a run beside its figures.

    Attributes:
        counts: Number of training, test and attacked images.
        finished: Number of finished trials, of `total`.
        failures: One line for each trial that failed.
        details: Versions, machine, time and command, as written to study.toml.
    """

    counts: Mapping[str, int]
    finished: int
    total: int
    failures: Sequence[str]
    details: Mapping[str, Any]


def render(table: pd.DataFrame, study: Study, circumstances: Circumstances) -> str:
    """The whole page as HTML. `table` holds at least one finished trial."""
    found = audits(table, study, circumstances.counts.get("attacked"))
    shown = columns(table, study)
    made = environment(Path(__file__).parent)
    made.filters["percent"] = lambda share: f"{100 * share:.1f}"
    made.filters["tied"] = _tied
    return made.get_template("template.html").render(
        study=study,
        run=circumstances,
        answer=answer(shown, found, study),
        about_the_test=[
            *(verdicts.about_the_test(list(shown[0].figures.values())) if shown else []),
            *verdicts.throughput(table),
        ],
        columns=shown,
        arms=[arm.label for arm in study.arms if any(arm.label in column.figures for column in shown)],
        legend=verdicts.dagger_legend(study),
        colors=charts.arm_colors(study),
        pictures=_pictures(table, study),
        sections=[_section(table, study, arm, shown, found) for arm in study.arms],
    )


def _tied(text: str) -> str:
    """Figures kept on one line with what they belong to."""
    return text.replace(" %", "\u00a0%").replace("p = ", "p\u00a0=\u00a0").replace("ε = ", "ε\u00a0=\u00a0")


def answer(shown: Sequence[Column], found: Sequence[Audit], study: Study) -> list[str]:
    """The study's outcome in a few sentences: who is ahead at each column of the table, and the margin check."""
    told = {CLEAN, *WORST.values(), *study.evaluation.noise}
    lines = [verdicts.headline(column, study.reference) for column in shown if column.measure in told]
    checked = verdicts.audit_headline(found)
    return [*lines, checked] if checked else lines


def _section(table: pd.DataFrame, study: Study, arm: Arm, shown: Sequence[Column], found: Sequence[Audit]) -> Section:
    own = [column.figures[arm.label] for column in shown if arm.label in column.figures]
    at_every_eps = (
        figures(table, study, measure, eps)
        for norm, measure in WORST.items()
        for eps in worst_levels(table, study, norm)
    )
    worst = [figure for row in at_every_eps for figure in row if figure.arm == arm.label]
    return Section(
        label=arm.label,
        color=charts.arm_colors(study)[arm.label],
        settings=_settings(arm),
        verdicts=[verdicts.against_reference(figure, study.reference) for figure in own],
        robustness=verdicts.robustness(arm.label, found, worst, [attack.label for attack in study.evaluation.attacks]),
        card=None if arm.method == NONE else METHODS.get(arm.method).card,
    )


def _settings(arm: Arm) -> str:
    if arm.method == NONE:
        return ""
    settings = ", ".join(f"{key} = {value}" for key, value in arm.settings.items())
    return f"{arm.method} at {', '.join(positions_of(arm))}" + (f"; {settings}" if settings else "")


def _axis(attack: AttackSettings) -> str:
    """What ε measures; the attacks of a norm share it."""
    unit = "pixels in [0, 1]" if attack.settings.get("units", PIXELS) == PIXELS else "normalised input"
    return f"ε ({unit}{', L2' if norm_of(attack) == 'l2' else ''})"


def _pictures(table: pd.DataFrame, study: Study) -> dict[str, list[Picture]]:
    """Groups of charts by the heading that they stand under; a group without charts is left out."""
    axes: dict[str, str] = {}
    for norm, worst in WORST.items():
        own = attacks_in(study, norm)
        axes |= {label: _axis(own[0]) for label in (*(attack.label for attack in own), worst) if own}
        # Elsewhere not every attack ran, and the curve would rise with ε.
        table = table[(table["measure"] != worst) | table["level"].isin(worst_levels(table, study, norm))]
    noises = list(study.evaluation.noise)
    spread = "mean over seeds, bars show the standard deviation"
    groups = {
        "Clean accuracy": [
            Picture(charts.dots(table, study, CLEAN), "Every seed", "Dots are seeds, the bar is their mean.")
        ],
        "Accuracy against ε": [
            Picture(charts.curve(table, study, name, axes[name]), name, f"Accuracy under {name}: {spread}.")
            for name in charts.drawable(table, list(axes))
        ],
        "Accuracy against noise": [
            Picture(charts.curve(table, study, name, "level"), name, f"Accuracy under {name} noise: {spread}.")
            for name in charts.drawable(table, noises)
        ],
        "Loss over the epochs": _loss_pictures(table, study),
    }
    return {heading: pictures for heading, pictures in groups.items() if pictures}


def _loss_pictures(table: pd.DataFrame, study: Study) -> list[Picture]:
    if not charts.drawable(table, ["train_loss"]):
        return []
    top, colors = charts.highest_loss(table), charts.arm_colors(study)
    there = set(table["arm"])
    return [
        Picture(
            charts.losses(table, arm.label, colors[arm.label], top),
            arm.label,
            "Training loss solid, test loss dashed, one line a seed.",
        )
        for arm in study.arms
        if arm.label in there
    ]
