"""Every seed's value as a dot and the mean as a bar (Ke et al. 2020, figure 5)."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from dropover.lab.pictures.style import axes_of, colors_for, grid_of, new_figure, plain_grid, styled


@styled
def dots(
    panels: Mapping[str, pd.DataFrame], *, x_label: str = "accuracy", colors: Mapping[str, str] | None = None
) -> Figure:
    """Every seed as a dot, the mean as a bar: one row an arm, one panel a data set.

    Dots and no bars from 0, so that an axis need not begin there to be honest about differences of a percent.

    Args:
        panels: By the panel's title a long table with the columns "arm", "value" (in [0, 1]) and, if rows are to be
            told apart by colour, "group" (such as "positive" and "negative" correlation); a row for every seed.
        x_label: What the value is.
        colors: By group; the palette in turn by default.
    """
    groups = list(dict.fromkeys(name for table in panels.values() if "group" in table for name in table["group"]))
    colors = colors or colors_for(groups or [""])
    most = max(len(set(zip(table["arm"], table.get("group", table["arm"]), strict=True))) for table in panels.values())
    rows, columns = grid_of(len(panels), 2)
    figure = new_figure(3.3 * columns, (0.22 * most + 0.75) * rows + (0.25 if groups else 0))
    for axes, (title, table) in zip(axes_of(figure, len(panels), 2), panels.items(), strict=True):
        table = table if "group" in table else table.assign(group="")
        arms = list(dict.fromkeys(table["arm"]))
        for row, arm in enumerate(arms):
            found = [
                (name, table[(table["arm"] == arm) & (table["group"] == name)]["value"]) for name in groups or [""]
            ]
            found = [(name, values) for name, values in found if len(values)]
            for index, (name, values) in enumerate(found):
                y = row + 0.3 * (index - (len(found) - 1) / 2)
                axes.plot(values, [y] * len(values), "o", color=colors[name], markersize=4, alpha=0.6, linewidth=0)
                axes.plot([values.mean()], [y], "|", color=colors[name], markersize=11, markeredgewidth=2)
        axes.set_yticks(range(len(arms)), arms)
        axes.set_ylim(len(arms) - 0.4, -0.6)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.margins(x=0.08)
        axes.set_title(title)
        axes.set_xlabel(x_label)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        plain_grid(axes)
    if groups:
        handles = [Line2D([], [], color=colors[name], marker="o", linewidth=0, markersize=4) for name in groups]
        figure.legend(handles, groups, loc="outside lower center", ncols=len(groups))
    return figure
