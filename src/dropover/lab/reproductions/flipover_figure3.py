"""Flipover, figure 3: test images before and after noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dropover.lab.reproductions import FLIPOVER, REPRODUCTIONS, Reproduction

if TYPE_CHECKING:
    from dropover.lab.reproductions.parts.items import Item
    from dropover.lab.reproductions.parts.outcome import Outcome
    from dropover.lab.reproductions.parts.request import Request
    from dropover.lab.study import Scale

IMAGES = 8


def requests(scale: Scale) -> Sequence[Request]:
    """Images and noise levels alone: nothing is trained."""
    from dropover.lab.reproductions.parts.request import Request

    return [Request("flipover-resnet", None, ("none",), noise=True, images_only=True)]


def draw(outcome: Outcome) -> Sequence[Item]:
    """A row a noise, at the levels of table 2."""
    import pandas as pd

    from dropover.lab.data.parts.loading import balanced_prefix
    from dropover.lab.examples import pixels
    from dropover.lab.noise import NOISES
    from dropover.lab.pictures.images import noisy_images
    from dropover.lab.reproductions.parts.cells import set_name
    from dropover.lab.reproductions.parts.items import Picture
    from dropover.lab.streams import generator, noise_stream

    ran = outcome.ran[0]
    data, asked = ran.data, ran.study.evaluation
    chosen = balanced_prefix(data.test_labels, min(IMAGES, len(data.test_labels)))
    clean = pixels(data.test_images[chosen])
    rows, changes = {"clean": clean}, []
    for name, levels in asked.noise.items():
        for level in levels:
            draws = generator(ran.study.seeds[0], noise_stream(name, level))
            noisy = NOISES.get(name).apply(clean, level, draws, clip=asked.clip_noise)
            rows[f"{name}\n{level:g}"] = noisy
            for index, change in enumerate((noisy - clean).flatten(1).square().mean(1).sqrt().tolist()):
                changes.append({"noise": name, "level": level, "image": index, "rms_change": change})
    return [
        Picture(
            "figure",
            f"Test images before and after noise, {set_name(ran.study.data.name)}",
            "The levels are those of table 2; noisy pixels are clipped back to [0, 1]. The CSV has the root mean "
            "square change of each image.",
            noisy_images(rows),
            pd.DataFrame(changes),
        )
    ]


REPRODUCTIONS.add(
    Reproduction(
        "flipover-figure3",
        FLIPOVER,
        "Figure 3",
        "test images before and after Gaussian, Poisson and salt-and-pepper noise",
        requests,
        draw,
        deviations=("The images are the first of each class, as the article does not say which it shows.",),
    )
)
