"""`dropover data`: the list of data sets, or what is found of one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dropover.cli.ending import RESULTS, fail, failures_told

if TYPE_CHECKING:
    from rich.console import Console
    from torch import Tensor

    from dropover.lab.data import Data

# Class names beyond these are only counted: a line of a hundred is read by no one.
NAMES_SHOWN = 20


def data(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A data set, or your own MODULE:FACTORY.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(metavar="DIR", help="Where its files are: data.folder.")] = None,
    size: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Scale a folder's images to N pixels a side: data.size.")
    ] = None,
) -> None:
    """List the data sets, or show what is found of one: classes, sizes, counts, pixels. Downloads nothing."""
    from rich.console import Console

    console = Console()
    if name is not None:
        _show(console, name, folder, size)
    elif folder is not None or size is not None:
        fail("--folder and --size belong to one data set: name it, such as: dropover data folder --folder DIR")
    else:
        _list(console)


def _list(console: "Console") -> None:
    from rich.table import Table
    from rich.text import Text

    from dropover.lab.data import DATA

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("data set", "files", "what it holds"):
        table.add_column(column, no_wrap=column == "data set")
    for source in DATA:
        table.add_row(source.name, "–" if source.where(None) is None else "here", Text(source.summary))
    console.print(table)
    console.print(
        "\n`dropover data NAME` shows what is found. Published sets without files (–) are downloaded when a study "
        "first asks for them.\nYour own: `dropover data folder --folder DIR`, or `dropover data MODULE:FACTORY`.",
        style="dim", markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


def _show(console: "Console", name: str, folder: Path | None, size: int | None) -> None:
    from rich.table import Table
    from rich.text import Text

    from dropover.lab.data import DATA, described
    from dropover.lab.data.parts.loading import load_data, source_of
    from dropover.lab.data.parts.published import root_of
    from dropover.lab.study import DataSettings

    with failures_told(RESULTS, ValueError):
        source = source_of(name)
        published = source.name in DATA and source.resized is None
        if published and source.where(folder) is None:
            fail(f"{name} has no files in {root_of(folder)}: a study that asks for it downloads them there")
        found = load_data(DataSettings(name=name, folder=folder, size=size))
    console.print(described(found, source.name), markup=False, highlight=False, soft_wrap=True)
    place = source.where(folder)
    rows = [
        *([("files", str(place))] if place is not None else []),
        ("classes", _names(found)),
        ("train", _part(found.train_images, found.train_labels, len(found.classes))),
        ("test", _part(found.test_images, found.test_labels, len(found.classes))),
    ]
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in rows:
        table.add_row(label, Text(text))
    console.print(table)


def _names(found: "Data") -> str:
    shown = ", ".join(found.classes[:NAMES_SHOWN])
    more = len(found.classes) - NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _part(images: "Tensor", labels: "Tensor", classes: int) -> str:
    counts = labels.bincount(minlength=classes)
    low, high = int(counts.min()), int(counts.max())
    each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    means, spreads = _moments(images)
    return (
        f"{len(labels):,} images, {each} of each class; "
        f"pixels in [0, 1]: mean {_listed(means)}, standard deviation {_listed(spreads)}"
    )


def _moments(images: "Tensor") -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, from counts of the 256 levels: exact, and without a float copy."""
    import torch

    levels = torch.arange(256, dtype=torch.float64) / 255
    means, spreads = [], []
    for channel in images.unbind(1):
        shares = torch.bincount(channel.flatten(), minlength=256).double() / channel.numel()
        mean = shares @ levels
        means.append(float(mean))
        spreads.append(float((shares @ (levels - mean).square()).sqrt()))
    return means, spreads


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)
