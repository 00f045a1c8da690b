"""The charts of a search's page: the front with intervals over all that was tried; of one objective, rows."""

from collections.abc import Collection, Sequence
from typing import TypeVar

import altair as alt
import numpy as np
import pandas as pd

from dropover.lab.judging.measures import Measure
from dropover.lab.pictures.palette import COLORS, REFERENCE_COLOR
from dropover.lab.report.charts import svg
from dropover.lab.searching.ending import Figure

FOUND, PUBLISHED = "found", "as published"
TRIED = "tried, on validation images"
WIDTH, HEIGHT = 560, 360
AxisT = TypeVar("AxisT", alt.X, alt.Y)


def colors(reference: str) -> dict[str, str]:
    """What is drawn in which colour."""
    return {FOUND: COLORS[1], PUBLISHED: COLORS[0], reference: REFERENCE_COLOR, TRIED: "#c9ced4"}


def front(
    figures: Sequence[Figure],
    tried: pd.DataFrame,
    winners: Sequence[str],
    reference: str,
    readings: Sequence[Measure],
) -> str:
    """The first objective against the second: the end's arms with 95 % intervals, and every arm tried as a dot.

    What is far off is left out, so that the rest can be told apart; a point whose figure no audit supports is open.

    Args:
        figures: What the end says.
        tried: A row for each arm that the search tried, a column for each objective by its words.
        winners: Which arms the search found; they have their numbers.
        reference: The arm without a method.
        readings: How each objective is read.
    """
    first, second = list(dict.fromkeys(each.objective.words for each in figures))[:2]
    away = far_off(figures, winners, reference)
    there = [each for each in figures if each.arm not in away]
    at = {(each.arm, each.objective.words): each for each in there}
    numbers = {arm: str(number) for number, arm in enumerate(winners, start=1)}
    rows = [
        {
            "arm": arm,
            "kind": kind_of(arm, winners, reference),
            "number": numbers.get(arm, ""),
            "doubted": any(each.warning for each in there if each.arm == arm),
            **{name: getattr(at[arm, first], key) for name, key in (("x", "fresh"), ("x0", "low"), ("x1", "high"))},
            **{name: getattr(at[arm, second], key) for name, key in (("y", "fresh"), ("y0", "low"), ("y1", "high"))},
        }
        for arm in dict.fromkeys(each.arm for each in there)
    ]
    data = pd.DataFrame(rows)
    dots = tried.rename(columns={first: "x", second: "y"}).assign(kind=TRIED)
    x = _axis(alt.X, "x", first, readings[0], _extent(data, "x"))
    y = _axis(alt.Y, "y", second, readings[1], _extent(data, "y"))
    color = _color(reference)
    below = alt.Chart(dots).mark_circle(size=22, opacity=0.8, clip=True).encode(x=x, y=y, color=color)
    layers: list[alt.Chart] = [below]
    # What was found lies on top.
    for kind, faint in ((PUBLISHED, 0.2), (reference, 0.9), (FOUND, 0.9)):
        base = alt.Chart(data[data["kind"] == kind]).encode(color=color)
        rule = base.mark_rule(opacity=faint, clip=True)
        layers += [rule.encode(x=x, y="y0:Q", y2="y1:Q"), rule.encode(y=y, x="x0:Q", x2="x1:Q")]
    for kind, size in ((PUBLISHED, 75), (reference, 75), (FOUND, 210)):
        points = alt.Chart(data[data["kind"] == kind]).encode(x=x, y=y, color=color)
        layers.append(points.mark_point(filled=True, size=size, opacity=1).transform_filter("!datum.doubted"))
        opened = points.mark_point(size=0.8 * size, opacity=1, fill="white", strokeWidth=2)
        layers.append(opened.transform_filter("datum.doubted"))
    numbered = alt.Chart(data).encode(x=x, y=y, text="number:N")
    ink = alt.condition("datum.doubted", alt.value("#222"), alt.value("white"))
    layers.append(numbered.mark_text(fontSize=11, fontWeight="bold").encode(color=ink))
    return svg(alt.layer(*layers), width=WIDTH, height=HEIGHT)


def far_off(figures: Sequence[Figure], winners: Collection[str], reference: str) -> list[str]:
    """The arms that were not found and are far below the others at an objective, by Tukey's fences."""
    away: dict[str, None] = {}
    for words in dict.fromkeys(each.objective.words for each in figures):
        row = {each.arm: each.objective.gain(each.fresh) for each in figures if each.objective.words == words}
        low, high = np.quantile(list(row.values()), (0.25, 0.75))
        away |= dict.fromkeys(arm for arm, gain in row.items() if gain < low - 1.5 * (high - low))
    return [arm for arm in away if arm not in winners and arm != reference]


def rows(figures: Sequence[Figure], winners: Collection[str], reference: str, reading: Measure) -> str:
    """One objective: a row for each arm of the end, with its 95 % interval."""
    data = pd.DataFrame(
        [(each.arm, kind_of(each.arm, winners, reference), each.fresh, each.low, each.high) for each in figures],
        columns=["arm", "kind", "x", "x0", "x1"],
    )
    y = alt.Y("arm:N", sort=list(data["arm"]), title=None, axis=alt.Axis(labelLimit=260, ticks=False, domain=False))
    base = alt.Chart(data).encode(y=y, color=_color(reference))
    whiskers = base.mark_rule(opacity=0.6).encode(x=_axis(alt.X, "x0", figures[0].objective.words, reading), x2="x1:Q")
    points = base.mark_point(filled=True, size=75, opacity=1).encode(
        x=_axis(alt.X, "x", figures[0].objective.words, reading)
    )
    return svg(alt.layer(whiskers, points), width=WIDTH - 200, height=max(60, 26 * len(data)))


def kind_of(arm: str, winners: Collection[str], reference: str) -> str:
    """What an arm of the end is there for."""
    return reference if arm == reference else FOUND if arm in winners else PUBLISHED


def _color(reference: str) -> alt.Color:
    named = colors(reference)
    return alt.Color("kind:N", scale=alt.Scale(domain=list(named), range=list(named.values())), legend=None)


def _extent(data: pd.DataFrame, name: str) -> list[float]:
    """From where to where an axis goes: all means, and the intervals but of what is there to be compared with."""
    ends = data.loc[data["kind"] != PUBLISHED, [f"{name}0", f"{name}1"]].to_numpy().ravel()
    values = [*data[name], *ends]
    return [float(min(values)), float(max(values))]


def _axis(kind: type[AxisT], name: str, words: str, reading: Measure, extent: list[float] | None = None) -> AxisT:
    """An axis of an objective, as far as it is told, else as its values go."""
    axis = alt.Axis(format=".0%", tickCount=6) if reading.scale == "share" else alt.Axis(tickCount=6)
    scale = alt.Scale(zero=False, nice=False, padding=10, domain=alt.Undefined if extent is None else extent)
    return kind(f"{name}:Q", title=words, scale=scale, axis=axis)
