"""Lines over ε, noise or epochs: accuracy (Ke et al. 2020, figure 7) and losses (Liang et al. 2024, figure 2)."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from dropover.lab.pictures.palette import COLORS
from dropover.lab.pictures.style import MARKERS, axes_of, colors_for, grid_of, new_figure, plain_grid, styled


@styled
def curves(
    panels: Mapping[str, pd.DataFrame], x_label: str | Mapping[str, str], *, y_label: str = "accuracy",
    colors: Mapping[str, str] | None = None,
) -> Figure:  # fmt: skip
    """Accuracy against a level, one line an arm: the mean over seeds, with mean ± standard deviation as a band.

    Args:
        panels: By the panel's title a long table with the columns "arm", "level" and "value" (in [0, 1]), a row for
            every seed.
        x_label: What the level is, for all panels or by the panel's title.
        y_label: What the value is.
        colors: By arm; the palette in turn by default.
    """
    arms = list(dict.fromkeys(arm for table in panels.values() for arm in table["arm"]))
    colors = colors or colors_for(arms)
    rows, columns = grid_of(len(panels), 2)
    figure = new_figure(3.0 * columns, 2.3 * rows + 0.2 + 0.17 * -(-len(arms) // 4))
    for axes, (title, table) in zip(axes_of(figure, len(panels), 2), panels.items(), strict=True):
        for index, arm in enumerate(arms):
            found = table[table["arm"] == arm].groupby("level")["value"].agg(["mean", "std"]).fillna({"std": 0.0})
            if found.empty:
                continue
            levels, mean, std = found.index.to_numpy(), found["mean"].to_numpy(), found["std"].to_numpy()
            axes.fill_between(
                levels, (mean - std).clip(0, 1), (mean + std).clip(0, 1), color=colors[arm], alpha=0.18, linewidth=0
            )
            axes.plot(
                levels,
                mean,
                color=colors[arm],
                marker=MARKERS[index % len(MARKERS)],
                markersize=3,
                clip_on=False,
                label=arm,
            )
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_title(title)
        axes.set_xlabel(x_label if isinstance(x_label, str) else x_label[title])
        axes.set_ylabel(y_label)
        plain_grid(axes, "y")
    handles = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    shown = [arm for arm in arms if arm in handles]
    figure.legend([handles[arm] for arm in shown], shown, loc="outside lower center", ncols=grid_of(len(shown), 4)[1])
    return figure


@styled
def losses(table: pd.DataFrame) -> Figure:
    """Training and test loss over the epochs, a panel for every arm, every seed a line, on one shared axis.

    Args:
        table: A long table with the columns "arm", "seed", "measure" ("train_loss" or "test_loss"), "level" (the
            epoch) and "value".
    """
    table = table[table["measure"].isin(["train_loss", "test_loss"])]
    arms = list(dict.fromkeys(table["arm"]))
    rows, columns = grid_of(len(arms), 3)
    figure = new_figure(2.3 * columns, 1.8 * rows + 0.25)
    names = {"train_loss": ("training", COLORS[0], "-"), "test_loss": ("test", COLORS[1], "--")}
    for axes, arm in zip(axes_of(figure, len(arms), 3, share=True), arms, strict=True):
        for measure, (label, color, dashes) in names.items():
            own = table[(table["arm"] == arm) & (table["measure"] == measure)]
            for number, (_, rows_of_seed) in enumerate(own.groupby("seed")):
                ordered = rows_of_seed.sort_values("level")
                axes.plot(
                    ordered["level"], ordered["value"], dashes, color=color, linewidth=1.1, alpha=0.85,
                    label=label if number == 0 else None,
                )  # fmt: skip
        axes.set_title(arm)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        plain_grid(axes, "y")
    later = table[table["level"] > 1]["value"]
    # The first epoch's loss would press all others flat; it leaves through the top.
    figure.axes[0].set_ylim(0, 1.1 * float((later if len(later) else table["value"]).max()))
    figure.supxlabel("epoch", fontsize=8)
    figure.supylabel("cross-entropy", fontsize=8)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure
