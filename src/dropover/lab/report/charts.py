"""Charts as SVG text: each a small picture of its own, so that a page can lay them out at any width."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from dropover.lab.judging.comparison import levels
from dropover.lab.judging.measures import Measure
from dropover.lab.pictures.palette import COLORS, REFERENCE_COLOR
from dropover.lab.study import Study

SHAPES = ("square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left", "stroke")
WIDTH, HEIGHT = 300, 190
LOSSES = ("train_loss", "test_loss")
MOST_STEPS = 200
"""Of more steps than this a picture shows as many, evenly spaced."""
CONFIG = {
    "view": {"stroke": None},
    "axis": {
        "gridColor": "#e6e6e6",
        "domainColor": "#999",
        "tickColor": "#999",
        "labelColor": "#333",
        "titleColor": "#333",
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 11,
    },
}


def arm_colors(study: Study) -> dict[str, str]:
    """A colour for every arm: grey for the reference, the palette in turn for the others."""
    others = [arm.label for arm in study.arms if arm.label != study.reference]
    turns = {label: COLORS[i % len(COLORS)] for i, label in enumerate(others)}
    return {study.reference: REFERENCE_COLOR, **turns}


def curve(table: pd.DataFrame, study: Study, measure: str, axis: str) -> str:
    """Accuracy against a measure's level, one line an arm: mean over seeds, with the standard deviation as a bar."""
    values = table[table["measure"] == measure].groupby(["arm", "level"], sort=False)["value"]
    rows = values.agg(["mean", "std"]).reset_index()
    std = rows["std"].fillna(0.0)
    rows = rows.assign(low=(rows["mean"] - std).clip(lower=0), high=(rows["mean"] + std).clip(upper=1))
    color = alt.Color("arm:N", scale=_arm_scale(study), legend=None)
    base = alt.Chart(rows).encode(x=alt.X("level:Q", title=axis), color=color)
    whiskers = base.mark_rule(opacity=0.55).encode(y=alt.Y("low:Q", title="accuracy"), y2="high:Q")
    lines = base.mark_line(strokeWidth=1.8).encode(
        y=alt.Y("mean:Q", title="accuracy", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=5))
    )
    names = list(arm_colors(study))
    shapes = alt.Scale(domain=names, range=["circle", *(SHAPES[i % len(SHAPES)] for i in range(len(names) - 1))])
    marks = base.mark_point(filled=True, size=38, opacity=1).encode(
        y="mean:Q", shape=alt.Shape("arm:N", scale=shapes, legend=None)
    )
    return svg(alt.layer(whiskers, lines, marks))


def losses(table: pd.DataFrame, arm: str, color: str, top: float, titles: tuple[str, str]) -> str:
    """An arm's training loss (solid) and test loss (dashed), every seed a line, up to `top`; axes have these titles."""
    names = dict(zip(LOSSES, ("training", "test"), strict=True))
    rows = table[(table["arm"] == arm) & table["measure"].isin(list(names))]
    rows = rows.assign(loss=rows["measure"].map(names))
    chart = (
        alt.Chart(rows)
        .mark_line(color=color, strokeWidth=1.4, opacity=0.85)
        .encode(
            x=alt.X("level:Q", title=titles[0], axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("value:Q", title=titles[1], scale=alt.Scale(domain=[0, top], nice=False)),
            strokeDash=alt.StrokeDash(
                "loss:N", scale=alt.Scale(domain=["training", "test"], range=[[1, 0], [4, 3]]), legend=None
            ),
            detail=["seed:N", "loss:N"],
        )
    )
    return svg(chart)


def steps(table: pd.DataFrame, study: Study, measure: str) -> str:
    """What was logged under a name at each step, every arm and seed a line."""
    rows = table[(table["measure"] == measure) & table["level"].notna()]
    there = np.unique(rows["level"])
    shown = there[np.linspace(0, len(there) - 1, min(len(there), MOST_STEPS)).round().astype(int)]
    rows = rows[rows["level"].isin(shown)]
    chart = (
        alt.Chart(rows)
        .mark_line(strokeWidth=1.4, opacity=0.75)
        .encode(
            x=alt.X("level:Q", title="step", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y("value:Q", title=measure, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5)),
            color=alt.Color("arm:N", scale=_arm_scale(study), legend=None),
            detail=["seed:N"],
        )
    )
    return svg(chart)


def dots(table: pd.DataFrame, study: Study, reading: Measure, wide: bool) -> str:
    """Every seed's value as a dot and the mean as a bar, one row an arm; wide where it is the only picture of a row."""
    rows = table[(table["measure"] == reading.name) & table["level"].isna()]
    order = [arm.label for arm in study.arms]
    width, limit = (460, 220) if wide else (WIDTH - 90, 120)
    y = alt.Y("arm:N", sort=order, title=None, axis=alt.Axis(labelLimit=limit, ticks=False, domain=False, grid=True))
    base = alt.Chart(rows).encode(y=y, color=alt.Color("arm:N", scale=_arm_scale(study), legend=None))
    title = "accuracy" if reading.of_images else reading.name
    axis = alt.Axis(format=".1%", tickCount=5) if reading.scale == "share" else alt.Axis(tickCount=5)
    x = alt.X("value:Q", title=title, scale=alt.Scale(zero=False, padding=14), axis=axis)
    points = base.mark_circle(size=55, opacity=0.6).encode(x=x)
    means = base.mark_tick(thickness=2.5, size=17).encode(x="mean(value):Q")
    return svg(alt.layer(points, means), width=width, height=max(60, 30 * len(order)))


def highest_loss(table: pd.DataFrame) -> float:
    """The top of the loss axis that every arm's picture shares: the largest loss after the first step, and a bit."""
    rows = table[table["measure"].isin(LOSSES)]
    later = rows[rows["level"] > rows["level"].min()]
    return 1.1 * float((rows if later.empty else later)["value"].max())


def drawable(table: pd.DataFrame, measures: Sequence[str]) -> list[str]:
    """The measures that have a curve: at least two levels."""
    return [measure for measure in measures if len(levels(table, measure)) > 1]


def _arm_scale(study: Study) -> alt.Scale:
    colors = arm_colors(study)
    return alt.Scale(domain=list(colors), range=list(colors.values()))


def svg(chart: alt.TopLevelMixin, width: int = WIDTH, height: int = HEIGHT) -> str:
    """A chart of that many pixels as the text of an SVG, in the look of all."""
    sized = chart.properties(width=width, height=height, background="transparent")
    # Many seeds and epochs are more than altair draws unasked.
    with alt.data_transformers.enable(max_rows=None):
        drawn = sized.to_dict()
    return str(vl_convert.vegalite_to_svg({**drawn, "config": CONFIG}))
