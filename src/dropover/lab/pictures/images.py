"""Noisy images (Liang et al. 2024, figure 3) and adversarial ones with what was added to them."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor

from dropover.lab.pictures.maps import picture
from dropover.lab.pictures.style import new_figure, styled


@styled
def noisy_images(rows: Mapping[str, Tensor]) -> Figure:
    """The same images under several noises, one row each.

    Args:
        rows: By the row's title ("clean", "Gaussian, std 0.1") its images (N, channels, height, width) in [0, 1].
    """
    count = max(len(images) for images in rows.values())
    figure = new_figure(1.0 + 0.82 * count, 0.84 * len(rows))
    cells = figure.subplots(len(rows), count, squeeze=False)
    for row, (title, images) in enumerate(rows.items()):
        for column in range(count):
            if column < len(images):
                picture(cells[row, column], images[column])
            else:
                cells[row, column].set_axis_off()
        cells[row, 0].set_ylabel(title, rotation=0, ha="right", va="center", labelpad=4)
    return figure


@styled
def adversarial_images(
    images: Tensor, adversarial: Tensor, before: Sequence[str], after: Sequence[str], factor: float | None = None
) -> Figure:
    """Images, what an attack made of them, and the difference enlarged; a column each, with the predictions.

    Args:
        images: (N, channels, height, width), in [0, 1].
        adversarial: The same after the attack.
        before: The prediction for each image.
        after: The prediction for each adversarial image.
        factor: The difference is drawn that many times as large around grey; by default the largest round factor
            that cuts nothing off, at least 1.
    """
    difference = (adversarial - images).detach()
    if factor is None:
        largest = float(difference.abs().max())
        factor = max(1.0, float(math.floor(0.5 / largest + 1e-4))) if largest > 0 else 1.0
    count = len(images)
    figure = new_figure(1.0 + 0.9 * count, 3.05)
    cells = figure.subplots(3, count, squeeze=False)
    shown = (images, adversarial, 0.5 + factor * difference)
    for column in range(count):
        for row in range(3):
            picture(cells[row, column], shown[row][column])
        cells[0, column].set_title(before[column], fontsize=7, pad=2)
        cells[1, column].set_title(f"→ {after[column]}", fontsize=7, pad=2)
    for row, label in enumerate(("image", "adversarial", f"difference\n× {factor:g}")):
        cells[row, 0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=4)
    return figure
