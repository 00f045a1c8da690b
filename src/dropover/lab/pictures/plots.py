"""Plots of figures: curves, losses, dots, histograms and grids of rates, in panels side by side.

Panels are given by their title. A long table has a row for every seed, with the columns "arm" and "value".
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torch import Tensor

from dropover.lab.pictures.palette import COLORS, colors_for
from dropover.lab.pictures.style import INK, SEQUENTIAL, grid_of, new_figure, styled

MARKERS = ("o", "s", "^", "D", "P", "v", ">", "<", "X")
_ROUNDING = 1e-6
Content = TypeVar("Content")


@styled
def curves(panels: Mapping[str, pd.DataFrame], x_label: str) -> Figure:
    """Accuracy against a level, one line an arm: the mean over seeds, with mean ± standard deviation as a band.

    Args:
        panels: Long tables with a column "level" too; values in [0, 1].
        x_label: What the level is.

    Source: Ke et al. 2020, figure 7.
    """
    arms = _in_order(arm for table in panels.values() for arm in table["arm"])
    colors = colors_for(arms)
    rows, columns = grid_of(len(panels), 2)
    figure = new_figure(3.0 * columns, 2.3 * rows + 0.2 + 0.17 * -(-len(arms) // 4))
    for axes, table in _drawn(figure, panels, 2):
        for index, arm in enumerate(arms):
            at = table[table["arm"] == arm].groupby("level")["value"].agg(["mean", "std"]).fillna({"std": 0.0})
            if at.empty:
                continue
            levels, mean, std = at.index.to_numpy(), at["mean"].to_numpy(), at["std"].to_numpy()
            low, high = (mean - std).clip(0, 1), (mean + std).clip(0, 1)
            axes.fill_between(levels, low, high, color=colors[arm], alpha=0.18, linewidth=0)
            marker = MARKERS[index % len(MARKERS)]
            axes.plot(levels, mean, color=colors[arm], marker=marker, markersize=3, clip_on=False, label=arm)
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel(x_label)
        axes.set_ylabel("accuracy")
        axes.grid(True, axis="y")
    handles = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    names = [arm for arm in arms if arm in handles]
    figure.legend([handles[arm] for arm in names], names, loc="outside lower center", ncols=grid_of(len(names), 4)[1])
    return figure


@styled
def losses(table: pd.DataFrame) -> Figure:
    """Training and test loss over the epochs, a panel for every arm, every seed a line, on one shared axis.

    Args:
        table: A long table with the columns "seed", "measure" ("train_loss" or "test_loss") and "level" (the epoch)
            too.

    Source: Liang et al. 2024, figure 2.
    """
    table = table[table["measure"].isin(["train_loss", "test_loss"])]
    panels = {arm: table[table["arm"] == arm] for arm in _in_order(table["arm"])}
    rows, columns = grid_of(len(panels), 3)
    figure = new_figure(2.3 * columns, 1.8 * rows + 0.25)
    names = {"train_loss": ("training", COLORS[0], "-"), "test_loss": ("test", COLORS[1], "--")}
    for axes, of_arm in _drawn(figure, panels, 3, share=True):
        for measure, (label, color, dashes) in names.items():
            for number, (_, of_seed) in enumerate(of_arm[of_arm["measure"] == measure].groupby("seed")):
                epochs = of_seed.sort_values("level")
                axes.plot(
                    epochs["level"], epochs["value"], dashes, color=color, linewidth=1.1, alpha=0.85,
                    label=label if number == 0 else None,
                )  # fmt: skip
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.grid(True, axis="y")
    later = table[table["level"] > 1]["value"]
    # The first epoch's loss would press all others flat; it leaves through the top.
    figure.axes[0].set_ylim(0, 1.1 * float((later if len(later) else table["value"]).max()))
    figure.supxlabel("epoch", fontsize=8)
    figure.supylabel("cross-entropy", fontsize=8)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@styled
def dots(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Accuracies, every seed as a dot, the mean as a bar: one row an arm, one panel a data set.

    Dots and no bars from 0, so that an axis need not begin there to be honest about differences of a percent.

    Args:
        panels: Long tables, values in [0, 1]; with a column "group" (such as "positive" and "negative" correlation) if
            rows are to be told apart by colour.

    Source: Ke et al. 2020, figure 5.
    """
    groups = _in_order(name for table in panels.values() if "group" in table for name in table["group"])
    colors = colors_for(groups or [""])
    most = max(len(set(zip(table["arm"], table.get("group", table["arm"]), strict=True))) for table in panels.values())
    rows, columns = grid_of(len(panels), 2)
    figure = new_figure(3.3 * columns, (0.22 * most + 0.75) * rows + (0.25 if groups else 0))
    for axes, table in _drawn(figure, panels, 2):
        table = table if "group" in table else table.assign(group="")
        arms = _in_order(table["arm"])
        for row, arm in enumerate(arms):
            by_group = dict(list(table[table["arm"] == arm].groupby("group")["value"]))
            names = [name for name in groups or [""] if name in by_group]
            for index, name in enumerate(names):
                values = by_group[name]
                y = row + 0.3 * (index - (len(names) - 1) / 2)
                axes.plot(values, [y] * len(values), "o", color=colors[name], markersize=4, alpha=0.6, linewidth=0)
                axes.plot([values.mean()], [y], "|", color=colors[name], markersize=11, markeredgewidth=2)
        axes.set_yticks(range(len(arms)), arms)
        axes.set_ylim(len(arms) - 0.4, -0.6)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.margins(x=0.08)
        axes.set_xlabel("accuracy")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(True)
    if groups:
        handles = [Line2D([], [], color=colors[name], marker="o", linewidth=0, markersize=4) for name in groups]
        figure.legend(handles, groups, loc="outside lower center", ncols=len(groups))
    return figure


@styled
def activation_histograms(panels: Mapping[str, Tensor], *, bins: int = 60, near: float | None = None) -> Figure:
    """How activations are distributed, in panels with the same axes, with the share that is near zero.

    The shares have a logarithmic axis: most activations are 0, and the rest would not be seen.

    Args:
        panels: Activations of any shape. All panels share bins and axes; counts are shares of a panel's activations,
            so that panels with different numbers of images compare.
        bins: Bins between the least and greatest activation.
        near: Activations of at most that magnitude count as near zero; by default about 1 % of the largest.

    Source: Ke et al. 2020, figure 4.
    """
    values = {title: each.detach().float().flatten() for title, each in panels.items()}
    pooled = torch.cat(list(values.values()))
    low, high = float(pooled.min()), float(pooled.max())
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    border = _one_digit(float(pooled.abs().max()) / 100) if near is None else near
    rows, columns = grid_of(len(panels), 3)
    figure = new_figure(2.4 * columns, 2.1 * rows + 0.2)
    for axes, each in _drawn(figure, values, 3, share=True, pad=22):
        counts, _ = np.histogram(each.numpy(), bins=edges)
        axes.stairs(counts / max(1, each.numel()), edges, fill=True, color=COLORS[0], alpha=0.85)
        axes.set_yscale("log")
        near_zero, zero = (float(which.double().mean()) for which in (each.abs() <= border, each == 0))
        mean = float(each.mean())
        mean = mean if abs(mean) > _ROUNDING * float(each.abs().max()) else 0.0
        # Over the panel, where no bar can be.
        shares = f"{near_zero:.1%} within ±{border:g}, {zero:.1%} exactly 0\nmean {mean:.3g}"
        axes.annotate(
            shares, (0.5, 1), (0, 3), "axes fraction", textcoords="offset points", ha="center", fontsize=6.5, color=INK
        )
        axes.grid(True, axis="y")
    figure.supxlabel("activation", fontsize=8)
    figure.supylabel("share of activations", fontsize=8)
    return figure


@styled
def rate_grid(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Heat maps of accuracies with the figure in every cell, in panels with one colour scale from 0 to 100 %.

    Args:
        panels: Tables of values in [0, 1]: train rates are the index, test rates the columns. NaN cells stay empty.

    Source: Liang et al. 2024, figure 4.
    """
    most = max(max(table.shape) for table in panels.values())
    side = max(1.9, 0.29 * most) + 0.55
    rows, columns = grid_of(len(panels), 2)
    figure = new_figure(side * columns + 0.6, (side + 0.1) * rows)
    lettered = {f"({chr(ord('a') + index)}) {title}": panels[title] for index, title in enumerate(panels)}
    for axes, table in _drawn(figure, lettered, 2):
        values = table.to_numpy(dtype=float)
        image = axes.imshow(values, cmap=SEQUENTIAL, vmin=0, vmax=1, origin="lower", aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                # White on dark, dark on light.
                axes.text(
                    column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=7,
                    color="white" if value < 0.55 else "black",
                )  # fmt: skip
        axes.set_xticks(range(len(table.columns)), [f"{rate:g}" for rate in table.columns])
        axes.set_yticks(range(len(table.index)), [f"{rate:g}" for rate in table.index])
        axes.set_xlabel("test rate")
        axes.set_ylabel("train rate")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    bar = figure.colorbar(image, ax=figure.axes, shrink=0.6, aspect=30, ticks=ticks, label="accuracy, %")
    bar.ax.set_yticklabels(["0", "25", "50", "75", "100"])
    bar.outline.set_visible(False)
    return figure


def _drawn(
    figure: Figure, panels: Mapping[str, Content], most: int, *, share: bool = False, pad: float | None = None
) -> Iterator[tuple[Axes, Content]]:
    """Each panel's axes under its title, at most so many in a row, and what goes into it."""
    rows, columns = grid_of(len(panels), most)
    grid = list(figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share).flat)
    for axes in grid[len(panels) :]:
        axes.remove()
    for number, (title, content) in enumerate(panels.items()):
        if share and number + columns >= len(panels):
            grid[number].tick_params(labelbottom=True)  # nothing below it: its own numbers
        grid[number].set_title(title, pad=pad)
        yield grid[number], content


def _in_order(names: Iterable[str]) -> list[str]:
    """Each name once, in the order in which they first come."""
    return list(dict.fromkeys(names))


def _one_digit(value: float) -> float:
    """Rounded to one significant digit, so that it can be printed as it is."""
    return float(f"{value:.0e}") if value > 0 and math.isfinite(value) else 0.0
