"""What a method does to activations, as a picture: what went in, what each number was multiplied by, what came out."""

import io
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from dropover.methods import Method

SAMPLES, CHANNELS, SIDE = 3, 12, 10
ROWS, FEATURES = 12, 48
FACTORS = LinearSegmentedColormap.from_list(
    "factors", [(0, "#b2182b"), (1 / 3, "#222222"), (2 / 3, "#e8e8e8"), (1, "#2166ac")]
)
"""From -1, flipped, over 0, dropped, and 1, left alone, to 2 and more, made larger."""


@dataclass(frozen=True)
class Shown:
    """One call: the numbers that went in and came out, as rows and columns, and what those are."""

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    rows: str
    columns: str
    cells: tuple[int, int] = (0, 0)
    """The side of a map, where cells are maps."""


def picture(method: Method) -> bytes:
    """An SVG of one call of the method's layer at its defaults, the same whenever it is drawn."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        return _drawn(_call(method))


def _call(method: Method) -> Shown:
    if method.kind == "weights":
        host = nn.Linear(ROWS, FEATURES, bias=False)
        # The identity shows the weights themselves.
        one = torch.eye(ROWS)
        return Shown(host(one).numpy(), method.layer(host)(one).numpy(), "inputs", "outputs")
    if method.kind == "maps":
        x = _maps()
        return Shown(_mosaic(x), _mosaic(_hit(method.make(CHANNELS), x)), "samples", "maps", (SIDE, SIDE))
    x = torch.rand(ROWS, FEATURES).square() + 0.05
    return Shown(x.numpy(), _hit(method.make(FEATURES), x).numpy(), "samples", "features")


def _hit(layer: nn.Module, x: Tensor) -> Tensor:
    """What the layer makes of `x` in the mode in which it acts, with the first key that hits some units and not all."""
    if torch.equal(layer.train()(x), x):
        layer.eval()
    for key in range(100):
        torch.manual_seed(key)
        y: Tensor = layer(x)
        if not torch.allclose(y / x, (y / x).mean()):
            return y
    raise AssertionError(f"{layer} hits all or nothing with each of 100 keys")


def _maps() -> Tensor:
    """Blobs, some weak and alike, some strong and each its own, all above 0."""
    axis = torch.linspace(-1, 1, SIDE)
    centres = torch.rand(SAMPLES, CHANNELS, 2, 1) * 1.6 - 0.8
    strengths = torch.rand(SAMPLES, CHANNELS, 1, 1).square() + 0.1
    y, x = (torch.exp(-((axis - centres[:, :, which]) ** 2) / 0.25) for which in (0, 1))
    return strengths * (y[..., :, None] * x[..., None, :]) + 0.02


def _mosaic(x: Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = x.permute(0, 2, 1, 3).reshape(SAMPLES * SIDE, CHANNELS * SIDE).numpy()
    return values


def _drawn(shown: Shown) -> bytes:
    figure = Figure(figsize=(8.4, 7.2), layout="constrained")
    top, middle, bottom = figure.subplots(3, 1)
    largest = float(max(np.abs(shown.before).max(), np.abs(shown.after).max()))
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = shown.after / shown.before
    of_activations = (mpl.colormaps["RdBu_r"], Normalize(-largest, largest))
    panels = (
        (top, "in", shown.before, *of_activations),
        (middle, "multiplied by", factors, FACTORS, Normalize(-1, 2, clip=True)),
        (bottom, "out", shown.after, *of_activations),
    )
    for axes, title, values, colours, norm in panels:
        image = axes.imshow(values, cmap=colours, norm=norm, aspect="equal", interpolation="none")
        axes.set_title(title, loc="left", fontsize=10)
        axes.set(xticks=[], yticks=[], xlabel=shown.columns, ylabel=shown.rows)
        for cells, line in zip(shown.cells, (axes.axhline, axes.axvline), strict=True):
            for edge in range(cells, max(values.shape), cells) if cells else ():
                line(edge - 0.5, color="white", linewidth=1.5)
        axes.set_xlim(-0.5, values.shape[1] - 0.5)
        axes.set_ylim(values.shape[0] - 0.5, -0.5)
        figure.colorbar(image, ax=axes, shrink=0.9)
    with mpl.rc_context({"svg.hashsalt": "dropover", "svg.fonttype": "none"}):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
