"""The charts of an audit's page: accuracy against ε, margins along the steps, and a slice of the loss surface."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from dropover.lab.auditing.curves import AGAINST_EPS
from dropover.lab.auditing.surface import SURFACE
from dropover.lab.pictures.palette import COLORS
from dropover.lab.report.charts import SHAPES, svg

ALONG_STEPS = "loss along the steps"
Curves = Mapping[str, Sequence[Sequence[float]]]


def of_kind(curves: Curves, kind: str) -> dict[str, Sequence[Sequence[float]]]:
    """The curves of a kind that can be drawn, by the label of what made them."""
    named = {name.partition(": ")[2]: points for name, points in curves.items() if name.partition(": ")[0] == kind}
    return {label: points for label, points in named.items() if len(points) > 1}


def colors_of(labels: Sequence[str]) -> dict[str, str]:
    """A colour for every label."""
    return {label: COLORS[place % len(COLORS)] for place, label in enumerate(labels)}


def against_eps(curves: Curves, eps: float) -> str:
    """What is left at each ε, a line an attack; a rule stands at the ε of the audit."""
    y = alt.Y("value:Q", title="still right", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=5))
    lines = _lines(of_kind(curves, AGAINST_EPS), "ε (pixels in [0, 1])", y)
    rule = alt.Chart(pd.DataFrame({"level": [eps]})).mark_rule(strokeDash=[4, 3], color="#777").encode(x="level:Q")
    return svg(alt.layer(rule, lines))


def along_steps(curves: Curves) -> str:
    """The mean margin at each step, a line an attack: an image falls above 0."""
    y = alt.Y("value:Q", title="mean margin", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    return svg(_lines(of_kind(curves, ALONG_STEPS), "step", y))


def surface(points: Sequence[Sequence[float]]) -> str:
    """The margin around an image: blue where the model is right, red where it isn't."""
    rows = pd.DataFrame(points, columns=["along", "across", "margin"])
    # A bit more than half, so that no background shines through.
    half = 0.51 * (rows["along"].drop_duplicates().sort_values().diff().min() or 0.1)
    for name in ("along", "across"):
        rows[f"{name}_from"], rows[f"{name}_to"] = rows[name] - half, rows[name] + half
    most = max(float(rows["margin"].abs().max()), 1e-12)
    color = alt.Color(
        "margin:Q",
        scale=alt.Scale(domain=[-most, 0, most], range=["#0a5a92", "#f5f5f5", "#b2182b"]),
        legend=alt.Legend(title="margin", gradientLength=150, tickCount=5),
    )
    scale, axis = alt.Scale(domain=[-1 - half, 1 + half], nice=False), alt.Axis(values=[-1, -0.5, 0, 0.5, 1])
    squares = (
        alt.Chart(rows)
        .mark_rect()
        .encode(
            x=alt.X("along_from:Q", title="along the attack, in ε", scale=scale, axis=axis),
            x2="along_to:Q",
            y=alt.Y("across_from:Q", title="across, in ε", scale=scale, axis=axis),
            y2="across_to:Q",
            color=color,
        )
    )
    return svg(squares, width=250, height=250)


def has_surface(curves: Curves) -> bool:
    """Whether there is a slice to draw."""
    return len(curves.get(SURFACE, ())) > 1


def _lines(curves: Curves, axis: str, y: alt.Y) -> alt.LayerChart | alt.FacetChart:
    rows = pd.DataFrame(
        [(label, *point) for label, points in curves.items() for point in points], columns=["label", "level", "value"]
    )
    colors = colors_of(list(curves))
    scale = alt.Scale(domain=list(colors), range=list(colors.values()))
    marks = alt.Scale(domain=list(colors), range=["circle", *(SHAPES[i % len(SHAPES)] for i in range(len(colors) - 1))])
    base = alt.Chart(rows).encode(
        x=alt.X("level:Q", title=axis), y=y, color=alt.Color("label:N", scale=scale, legend=None)
    )
    points = base.mark_point(filled=True, size=26, opacity=0.9)
    return alt.layer(
        base.mark_line(strokeWidth=1.6), points.encode(shape=alt.Shape("label:N", scale=marks, legend=None))
    )
