"""`dropover models`: the list of networks, or what one is and where layers can sit in it."""

import inspect
from typing import TYPE_CHECKING, Annotated

import typer

from dropover.cli.ending import RESULTS, fail, failures_told

if TYPE_CHECKING:
    from rich.console import Console
    from torch import Tensor, nn

    from dropover.lab.models import Network

# How many modules of a network without named positions are shown as examples.
_EXAMPLES = 24


def models(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="Show this network: one of the list, MODULE:FACTORY or timm:NAME."),
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="NAME", help="Build it for this data set. [default: mnist-5k's shape]")
    ] = None,
    channels: Annotated[int | None, typer.Option(min=1, metavar="N", help="Build it for N channels.")] = None,
    size: Annotated[int | None, typer.Option(min=1, metavar="N", help="Build it for N pixels a side.")] = None,
    classes: Annotated[int | None, typer.Option(min=1, metavar="N", help="Build it for N classes.")] = None,
) -> None:
    """List the networks, or show one: its settings, its parameters, and the positions where layers can sit."""
    from rich.console import Console

    console = Console()
    if name is None:
        _list(console)
        return
    if data is not None and (channels, size, classes) != (None, None, None):
        fail("--data says channels, size and classes already: leave the other options out")
    with failures_told(RESULTS, TypeError, ValueError):
        shape = _shape_of(data) if data is not None else (channels or 1, size or 28, classes or 10)
        _show(console, name, *shape)


def _list(console: "Console") -> None:
    from rich.table import Table

    from dropover.lab.models import NETWORKS

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("network", "what it is", "positions"):
        table.add_column(column, no_wrap=column == "network")
    for network in NETWORKS:
        table.add_row(network.name, network.summary, ", ".join(network.positions))
    table.add_row("MODULE:FACTORY", "your own: a function that returns a torch.nn.Module", "any module's path")
    table.add_row("timm:NAME", "a network of timm's, where timm is installed", "any module's path")
    console.print(table)
    console.print("\n`dropover models NAME` shows one.", style="dim", markup=False, highlight=False)


def _shape_of(data: str) -> tuple[int, int, int]:
    """Channels, pixels a side and classes of a data set."""
    from dropover.lab.data.parts.loading import load_data
    from dropover.lab.study import DataSettings

    images = load_data(DataSettings(name=data))
    return images.train_images.shape[1], images.train_images.shape[2], len(images.classes)


def _show(console: "Console", name: str, channels: int, size: int, classes: int) -> None:
    import torch
    from rich.table import Table

    from dropover.lab.models.parts.foreign import network_named

    network = network_named(name)
    for setting, default in network.settings().items():
        if default is inspect.Parameter.empty:
            raise ValueError(f"{name} needs a setting {setting!r}, which only a study can give it")
    with torch.random.fork_rng(devices=[]):
        model = network.build(channels, size, classes)
    images = torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(0))
    shown = (f"{key}={value!r}" for key, value in network.settings().items())
    others = ["and others"] if network.takes_any_setting else []
    facts = [
        ("what it is", network.summary),
        ("built for", f"{channels} channel{'s' * (channels > 1)} of {size}×{size} pixels, {classes} classes"),
        ("parameters", f"{sum(parameter.numel() for parameter in model.parameters()):,}"),
        ("settings", ", ".join([*shown, *others]) or "none"),
    ]
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for fact in facts:
        table.add_row(*fact)
    console.print(name, style="bold", highlight=False, markup=False)
    console.print(table)
    console.print()
    _positions(console, network, model, images)


def _positions(console: "Console", network: "Network", model: "nn.Module", images: "Tensor") -> None:
    from rich.table import Table

    rows = _named(network, model, images) if network.positions else _by_path(model, images)
    columns = ("position", "where", "kind", "what passes") if network.positions else ("position", "kind", "what passes")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    paths = [path for path, _ in model.named_modules() if path]
    console.print(
        f"\nA study's `at` takes the path of any of the {len(paths)} modules"
        f"{' too' if network.positions else ''}: 'after {paths[-1]}' or 'before {paths[-1]}'; a path alone means after."
        if paths
        else "\nThe network has no modules inside where a layer could sit.",
        style="dim",
        markup=False,
        highlight=False,
    )


def _named(network: "Network", model: "nn.Module", images: "Tensor") -> list[tuple[str, ...]]:
    """The named positions, those of the same content in one row."""
    from dropover.lab.models.parts.positions import positions

    rows: list[tuple[str, ...]] = []
    for name, there in positions(model, network.positions, images).items():
        targets = network.positions[name]
        where = targets if isinstance(targets, str) else _together(network, targets)
        contents: dict[tuple[str, str], int] = {}
        for position in there:
            key = (position.kind, position.content)
            contents[key] = contents.get(key, 0) + 1
        for index, ((kind, content), count) in enumerate(contents.items()):
            times = f"{count} times " if count > 1 else ""
            rows.append((name, where, kind, times + content) if index == 0 else ("", "", kind, times + content))
    return rows


def _together(network: "Network", targets: tuple[str, ...]) -> str:
    """A group of places by the names that its parts have alone."""
    alone = {target: name for name, target in network.positions.items() if isinstance(target, str)}
    return ", ".join(alone.get(target, target) for target in targets)


def _by_path(model: "nn.Module", images: "Tensor") -> list[tuple[str, ...]]:
    """What comes out of the outer modules, of those where a layer can sit."""
    from dropover.lab.models.parts.positions import Place, PositionError, look

    rows: list[tuple[str, ...]] = []
    for path, _ in model.named_modules():
        if path and path.count(".") < 2 and len(rows) < _EXAMPLES:
            place = Place(path, "after")
            try:
                position = look(model, [place], images)[place]
            except PositionError:
                continue
            rows.append((path, position.kind, position.content))
    return rows
