"""The page: one HTML file with the answer, the table, the pictures and every arm's card, and nothing to load."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dropover.lab.attacks.parts.task import PIXELS
from dropover.lab.growing import Growth
from dropover.lab.judging.answer import Answer
from dropover.lab.judging.comparison import attacks_in, worst_levels
from dropover.lab.judging.measures import logged
from dropover.lab.measuring.robustness import norm_of
from dropover.lab.models.parts.building import NONE, positions_of
from dropover.lab.records.labels import WORST
from dropover.lab.report import charts
from dropover.lab.report.templates import environment
from dropover.lab.running.runner import StudyRun
from dropover.lab.study import Arm, AttackSettings, Study
from dropover.methods import METHODS

BARS = "Mean over seeds; the bars are the standard deviation."


@dataclass(frozen=True)
class Chart:
    """A chart and what it shows in words."""

    svg: str
    title: str
    description: str


@dataclass(frozen=True)
class Group:
    """Charts under one heading, and what they show in words; `colored` where arms are told apart by their colours."""

    heading: str
    charts: list[Chart]
    description: str
    colored: bool = False
    wide: bool = False


def render(
    answer: Answer, run: StudyRun, counts: Mapping[str, int], details: Mapping[str, Any], growth: Growth | None = None
) -> str:
    """The whole page as HTML.

    Args:
        answer: What came of the study.
        run: Which trials are finished, and which failed.
        counts: Number of training, test and attacked images, of a study of images.
        details: Versions, machine, time and command, as written to study.toml.
        growth: How the study grew, if it did.
    """
    return (
        environment(Path(__file__).parent)
        .get_template("template.html")
        .render(
            answer=answer,
            study=answer.study,
            run=run,
            counts=counts,
            details=details,
            growth=growth,
            colors=charts.arm_colors(answer.study),
            groups=_groups(answer),
            settings=lambda arm: _settings(arm, answer.study),
            card=lambda arm: METHODS.get(arm.method).card if arm.method in METHODS else None,
            nothing=NONE,
            images=answer.study.trial is None,
            levels=any(column.level is not None for column in answer.columns),
            shares=any(each.scale == "share" for each in answer.readings),
            losses=any(each.scale == "loss" for each in answer.readings),
        )
    )


def _settings(arm: Arm, study: Study) -> str:
    if arm.method == NONE:
        return ""
    settings = ", ".join(f"{key} = {value}" for key, value in arm.settings.items())
    # A net of the user's own has no positions that methods are meant for.
    at = ", ".join((arm.at or []) if study.trial else positions_of(arm))
    return f"{arm.method}{f' at {at}' if at else ''}{f'; {settings}' if settings else ''}"


def _axis(attack: AttackSettings) -> str:
    """What ε measures; the attacks of a norm share it."""
    unit = "pixels in [0, 1]" if attack.settings.get("units", PIXELS) == PIXELS else "normalised input"
    return f"ε ({unit}{', L2' if norm_of(attack) == 'l2' else ''})"


def _groups(answer: Answer) -> list[Group]:
    """The charts by the heading that they stand under; a group without charts is left out."""
    losses = _losses(answer)
    groups = [_dots(answer), *_curves(answer), losses, *([_steps(answer, bool(losses.charts))] if _own(answer) else [])]
    return [group for group in groups if group.charts]


def _own(answer: Answer) -> bool:
    """Whether it is a study of the user's own function."""
    return answer.study.trial is not None


def _dots(answer: Answer) -> Group:
    """Every seed's value at each measure without levels."""
    said = "Dots are seeds, the bar is their mean."
    readings = [column.reading for column in answer.columns if column.level is None]
    wide = len(readings) == 1
    made = [
        Chart(charts.dots(answer.table, answer.study, each, wide), each.name if _own(answer) else "Every seed", said)
        for each in readings
    ]
    return Group("Every seed" if _own(answer) else "Clean accuracy", made, said, wide=wide)


def _curves(answer: Answer) -> list[Group]:
    """Accuracy against ε and against noise."""
    table, study = answer.table, answer.study
    axes: dict[str, str] = {}
    for norm, worst in WORST.items():
        attacks = attacks_in(study, norm)
        axes |= {label: _axis(attacks[0]) for label in (*(attack.label for attack in attacks), worst) if attacks}
        # Elsewhere not every attack ran, and the curve would rise with ε.
        table = table[(table["measure"] != worst) | table["level"].isin(worst_levels(table, study, norm))]
    spread = "mean over seeds, bars show the standard deviation"
    attacked = [
        Chart(charts.curve(table, study, name, axes[name]), name, f"Accuracy under {name}: {spread}.")
        for name in charts.drawable(table, list(axes))
    ]
    noisy = [
        Chart(charts.curve(table, study, name, "level"), name, f"Accuracy under {name} noise: {spread}.")
        for name in charts.drawable(table, list(study.evaluation.noise))
    ]
    return [
        Group(heading, made, made[0].description if len(made) == 1 else BARS, colored=True)
        for heading, made in (("Accuracy against ε", attacked), ("Accuracy against noise", noisy))
        if made
    ]


def _losses(answer: Answer) -> Group:
    """Training against test loss, a picture an arm; of the user's own function where it logs both, as losses are."""
    table, colors = answer.table, charts.arm_colors(answer.study)
    said = "Training loss solid, test loss dashed, one line a seed."
    step, title = ("step", "loss") if _own(answer) else ("epoch", "cross-entropy")
    values = table.loc[table["measure"].isin(charts.LOSSES), "value"]
    there = charts.drawable(table, charts.LOSSES if _own(answer) else charts.LOSSES[:1])
    able = there == list(charts.LOSSES) and values.min() >= 0 if _own(answer) else bool(there)
    made = [
        Chart(charts.losses(table, arm, colors[arm], charts.highest_loss(table), (step, title)), arm, said)
        for arm in (answer.arms if able else [])
    ]
    return Group(f"Loss over the {step}s", made, said)


def _steps(answer: Answer, but_losses: bool) -> Group:
    """What the user's own function has logged."""
    said = "What was logged at each step, one line a seed."
    names = [name for name in logged(answer.table, answer.study) if not (but_losses and name in charts.LOSSES)]
    made = [
        Chart(charts.steps(answer.table, answer.study, name), name, said)
        for name in names
        if answer.table.loc[answer.table["measure"] == name, "level"].nunique() > 1
    ]
    return Group("Logged over the steps", made, said, colored=True)
