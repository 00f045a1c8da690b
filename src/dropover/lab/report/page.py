"""The page: one HTML file with the answer, the table, the pictures and every arm's card, and nothing to load."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dropover.lab.attacks.parts.task import PIXELS
from dropover.lab.growing import Growth
from dropover.lab.judging.answer import Answer
from dropover.lab.judging.comparison import attacks_in, worst_levels
from dropover.lab.judging.verdicts import points
from dropover.lab.measuring.robustness import norm_of
from dropover.lab.models.parts.building import NONE, positions_of
from dropover.lab.records.labels import WORST
from dropover.lab.records.rows import CLEAN
from dropover.lab.report import charts
from dropover.lab.report.templates import environment
from dropover.lab.running.runner import StudyRun
from dropover.lab.study import Arm, AttackSettings
from dropover.methods import METHODS


@dataclass(frozen=True)
class Chart:
    """A chart and what it shows in words."""

    svg: str
    title: str
    description: str


def render(
    answer: Answer, run: StudyRun, counts: Mapping[str, int], details: Mapping[str, Any], growth: Growth | None = None
) -> str:
    """The whole page as HTML.

    Args:
        answer: What came of the study.
        run: Which trials are finished, and which failed.
        counts: Number of training, test and attacked images.
        details: Versions, machine, time and command, as written to study.toml.
        growth: How the study grew, if it did.
    """
    templates = environment(Path(__file__).parent)
    templates.filters["percent"] = lambda share: f"{100 * share:.1f}"
    templates.filters["points"] = points
    templates.filters["tied"] = _tied
    return templates.get_template("template.html").render(
        answer=answer,
        study=answer.study,
        run=run,
        counts=counts,
        details=details,
        growth=growth,
        colors=charts.arm_colors(answer.study),
        charts=_charts(answer),
        settings=_settings,
        card=lambda arm: None if arm.method == NONE else METHODS.get(arm.method).card,
    )


def _tied(text: str) -> str:
    """Figures kept on one line with what they belong to."""
    return text.replace(" %", "\u00a0%").replace("p = ", "p\u00a0=\u00a0").replace("ε = ", "ε\u00a0=\u00a0")


def _settings(arm: Arm) -> str:
    if arm.method == NONE:
        return ""
    settings = ", ".join(f"{key} = {value}" for key, value in arm.settings.items())
    return f"{arm.method} at {', '.join(positions_of(arm))}" + (f"; {settings}" if settings else "")


def _axis(attack: AttackSettings) -> str:
    """What ε measures; the attacks of a norm share it."""
    unit = "pixels in [0, 1]" if attack.settings.get("units", PIXELS) == PIXELS else "normalised input"
    return f"ε ({unit}{', L2' if norm_of(attack) == 'l2' else ''})"


def _charts(answer: Answer) -> dict[str, list[Chart]]:
    """Groups of charts by the heading that they stand under; a group without charts is left out."""
    table, study = answer.table, answer.study
    axes: dict[str, str] = {}
    for norm, worst in WORST.items():
        attacks = attacks_in(study, norm)
        axes |= {label: _axis(attacks[0]) for label in (*(attack.label for attack in attacks), worst) if attacks}
        # Elsewhere not every attack ran, and the curve would rise with ε.
        table = table[(table["measure"] != worst) | table["level"].isin(worst_levels(table, study, norm))]
    spread = "mean over seeds, bars show the standard deviation"
    top, colors = charts.highest_loss(table), charts.arm_colors(study)
    groups = {
        "Clean accuracy": [
            Chart(charts.dots(table, study, CLEAN), "Every seed", "Dots are seeds, the bar is their mean.")
        ],
        "Accuracy against ε": [
            Chart(charts.curve(table, study, name, axes[name]), name, f"Accuracy under {name}: {spread}.")
            for name in charts.drawable(table, list(axes))
        ],
        "Accuracy against noise": [
            Chart(charts.curve(table, study, name, "level"), name, f"Accuracy under {name} noise: {spread}.")
            for name in charts.drawable(table, list(study.evaluation.noise))
        ],
        "Loss over the epochs": [
            Chart(
                charts.losses(table, arm, colors[arm], top),
                arm,
                "Training loss solid, test loss dashed, one line a seed.",
            )
            for arm in answer.arms
            if charts.drawable(table, ["train_loss"])
        ],
    }
    return {heading: group for heading, group in groups.items() if group}
