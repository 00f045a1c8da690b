"""`dropover data`: the list of data sets, or what is found of one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dropover.cli.ending import RESULTS, fail, failures_told
from dropover.cli.options import directory, number

if TYPE_CHECKING:
    from torch import Tensor

# Class names beyond these are only counted: a line of a hundred is read by no one.
MOST_NAMES = 20


def data(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A data set, or your own MODULE:FACTORY.")
    ] = None,
    folder: Annotated[Path | None, directory("Where its files are: data.folder.")] = None,
    size: Annotated[int | None, number("Scale a folder's images to N pixels a side: data.size.")] = None,
) -> None:
    """List the data sets, or show what is found of one: classes, sizes, counts, pixels. Downloads nothing."""
    if name is not None:
        with failures_told(RESULTS, ValueError):
            _show(name, folder, size)
    elif folder is not None or size is not None:
        fail("--folder and --size belong to one data set: name it, such as: dropover data folder --folder DIR")
    else:
        _list()


def _list() -> None:
    from dropover.lab.data import DATA
    from dropover.lab.telling.terminal import print_list, say

    rows = [(source.name, "–" if source.where(None) is None else "here", source.summary) for source in DATA]
    print_list(("data set", "files", "what it holds"), rows, wrap=("what it holds",))
    say(
        "\n`dropover data NAME` shows what is found. Published sets without files (–) are downloaded when a study "
        "first asks for them.\nYour own: `dropover data folder --folder DIR`, or `dropover data MODULE:FACTORY`.",
        "dim",
        wrap=False,
    )


def _show(name: str, folder: Path | None, size: int | None) -> None:
    from dropover.lab.data import DATA, described
    from dropover.lab.data.parts.loading import load_data, source_of
    from dropover.lab.data.parts.published import root_of
    from dropover.lab.study import DataSettings
    from dropover.lab.telling.terminal import print_facts, say

    source = source_of(name)
    place = source.where(folder)
    if place is None and source.name in DATA and source.resized is None:
        fail(f"{name} has no files in {root_of(folder)}: a study that asks for it downloads them there")
    images = load_data(DataSettings(name=name, folder=folder, size=size))
    classes = images.classes
    say(described(images, source.name), wrap=False)
    more = f" and {len(classes) - MOST_NAMES} more" if len(classes) > MOST_NAMES else ""
    facts = [
        ("files", "" if place is None else str(place)),
        ("classes", ", ".join(classes[:MOST_NAMES]) + more),
        ("train", _part(images.train_images, images.train_labels, len(classes))),
        ("test", _part(images.test_images, images.test_labels, len(classes))),
    ]
    print_facts([fact for fact in facts if fact[1]])


def _part(images: "Tensor", labels: "Tensor", classes: int) -> str:
    """How many images there are, of each class, and the mean and spread of each channel's pixels."""
    import torch

    low, high = (int(count) for count in labels.bincount(minlength=classes).aminmax())
    each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    # From counts of the 256 levels: exact, and without a float copy.
    counts = torch.stack([torch.bincount(channel.flatten(), minlength=256) for channel in images.unbind(1)])
    shares, levels = counts.double() / counts.sum(1, keepdim=True), torch.arange(256, dtype=torch.float64) / 255
    means = shares @ levels
    spreads = (shares * (levels - means[:, None]).square()).sum(1).sqrt()
    mean, spread = (", ".join(f"{value:.4f}" for value in moment.tolist()) for moment in (means, spreads))
    return f"{len(labels):,} images, {each} of each class; pixels in [0, 1]: mean {mean}, standard deviation {spread}"
