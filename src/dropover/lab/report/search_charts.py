"""The charts of a search's page: the front with intervals over all that was tried; of one objective, rows."""

from collections.abc import Collection, Sequence

import altair as alt
import pandas as pd

from dropover.lab.judging.measures import Measure
from dropover.lab.pictures.palette import COLORS, REFERENCE_COLOR
from dropover.lab.report.charts import svg
from dropover.lab.searching.ending import Figure

FOUND, PUBLISHED = "found", "as published"
TRIED = "tried, on validation images"
WIDTH, HEIGHT = 560, 360


def colors(reference: str) -> dict[str, str]:
    """What is drawn in which colour."""
    return {FOUND: COLORS[1], PUBLISHED: COLORS[0], reference: REFERENCE_COLOR, TRIED: "#c9ced4"}


def front(
    figures: Sequence[Figure],
    tried: pd.DataFrame,
    winners: Collection[str],
    reference: str,
    readings: Sequence[Measure],
) -> str:
    """The first objective against the second: the end's arms with 95 % intervals, and every arm tried as a dot.

    Args:
        figures: What the end says.
        tried: A row for each arm that the search tried, a column for each objective by its words.
        winners: Which arms the search found.
        reference: The arm without a method.
        readings: How each objective is read.
    """
    first, second = list(dict.fromkeys(each.objective.words for each in figures))[:2]
    at = {(each.arm, each.objective.words): each for each in figures}
    rows = [
        {
            "arm": arm,
            "kind": kind_of(arm, winners, reference),
            **{name: getattr(at[arm, first], key) for name, key in (("x", "fresh"), ("x0", "low"), ("x1", "high"))},
            **{name: getattr(at[arm, second], key) for name, key in (("y", "fresh"), ("y0", "low"), ("y1", "high"))},
        }
        for arm in dict.fromkeys(each.arm for each in figures)
    ]
    dots = tried.rename(columns={first: "x", second: "y"}).assign(kind=TRIED)
    x, y = (_axis(name, words, reading) for name, words, reading in zip("xy", (first, second), readings, strict=False))
    color = _color(reference)
    base = alt.Chart(pd.DataFrame(rows)).encode(color=color)
    whiskers = [base.mark_rule(opacity=0.6).encode(x=x, y="y0:Q", y2="y1:Q")]
    whiskers.append(base.mark_rule(opacity=0.6).encode(y=y, x="x0:Q", x2="x1:Q"))
    points = base.mark_point(filled=True, size=75, opacity=1).encode(x=x, y=y)
    below = alt.Chart(dots).mark_circle(size=22, opacity=0.8).encode(x=x, y=y, color=color)
    return svg(alt.layer(below, *whiskers, points), width=WIDTH, height=HEIGHT)


def rows(figures: Sequence[Figure], winners: Collection[str], reference: str, reading: Measure) -> str:
    """One objective: a row for each arm of the end, with its 95 % interval."""
    data = pd.DataFrame(
        [(each.arm, kind_of(each.arm, winners, reference), each.fresh, each.low, each.high) for each in figures],
        columns=["arm", "kind", "x", "x0", "x1"],
    )
    y = alt.Y("arm:N", sort=list(data["arm"]), title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False))
    base = alt.Chart(data).encode(y=y, color=_color(reference))
    whiskers = base.mark_rule(opacity=0.6).encode(x=_axis("x0", figures[0].objective.words, reading), x2="x1:Q")
    points = base.mark_point(filled=True, size=75, opacity=1).encode(x=_axis("x", figures[0].objective.words, reading))
    return svg(alt.layer(whiskers, points), width=WIDTH - 200, height=max(60, 26 * len(data)))


def kind_of(arm: str, winners: Collection[str], reference: str) -> str:
    """What an arm of the end is there for."""
    return reference if arm == reference else FOUND if arm in winners else PUBLISHED


def _color(reference: str) -> alt.Color:
    named = colors(reference)
    return alt.Color("kind:N", scale=alt.Scale(domain=list(named), range=list(named.values())), legend=None)


def _axis(name: str, words: str, reading: Measure) -> alt.X | alt.Y:
    axis = alt.Axis(format=".0%", tickCount=6) if reading.scale == "share" else alt.Axis(tickCount=6)
    kind = alt.Y if name.startswith("y") else alt.X
    return kind(f"{name}:Q", title=words, scale=alt.Scale(zero=False, padding=10), axis=axis)
