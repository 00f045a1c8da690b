"""Flipover, figure 3: test images before and after noise."""

from dropover.lab.reproductions import FLIPOVER, reproduces
from dropover.lab.reproductions.parts.items import Illustration, Item
from dropover.lab.reproductions.parts.studies import Evidence, Request

IMAGES = 8


@reproduces(
    FLIPOVER,
    "Figure 3",
    "test images before and after Gaussian, Poisson and salt-and-pepper noise",
    Request("flipover-resnet", None, ("none",), noise=True, images_only=True),
    deviations=("The images are the first of each class, as the article does not say which it shows.",),
)
def draw(evidence: Evidence) -> list[Item]:
    """A row a noise, at the levels of table 2."""
    import pandas as pd

    from dropover.lab.data.parts.loading import balanced_prefix
    from dropover.lab.examples import pixels
    from dropover.lab.noise import NOISES
    from dropover.lab.pictures.images import noisy_images
    from dropover.lab.streams import generator, noise_stream

    run = evidence.runs[0]
    data, evaluation = run.data, run.study.evaluation
    clean = pixels(data.test_images[balanced_prefix(data.test_labels, min(IMAGES, len(data.test_labels)))])
    rows, changes = {"clean": clean}, []
    for name, levels in evaluation.noise.items():
        for level in levels:
            draws = generator(run.study.seeds[0], noise_stream(name, level))
            noisy = NOISES.get(name).apply(clean, level, draws, clip=evaluation.clip_noise)
            rows[f"{name}\n{level:g}"] = noisy
            for index, change in enumerate((noisy - clean).flatten(1).square().mean(1).sqrt().tolist()):
                changes.append({"noise": name, "level": level, "image": index, "rms_change": change})
    return [
        Illustration(
            "figure",
            f"Test images before and after noise, {run.data_set}",
            "The levels are those of table 2; noisy pixels are clipped back to [0, 1]. The CSV has the root mean "
            "square change of each image.",
            noisy_images(rows),
            pd.DataFrame(changes),
        )
    ]
