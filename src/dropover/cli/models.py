"""`dropover models`: the list of networks, or what one is and where layers can sit in it."""

import inspect
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from dropover.cli.ending import RESULTS, fail, failures_told
from dropover.cli.options import number

if TYPE_CHECKING:
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
    channels: Annotated[int | None, number("Build it for N channels.")] = None,
    size: Annotated[int | None, number("Build it for N pixels a side.")] = None,
    classes: Annotated[int | None, number("Build it for N classes.")] = None,
) -> None:
    """List the networks, or show one: its settings, its parameters, and the positions where layers can sit."""
    if name is None:
        _list()
        return
    if data is not None and (channels, size, classes) != (None, None, None):
        fail("--data says channels, size and classes already: leave the other options out")
    with failures_told(RESULTS, TypeError, ValueError):
        _show(name, data, channels or 1, size or 28, classes or 10)


def _list() -> None:
    from dropover.lab.models import NETWORKS
    from dropover.lab.telling.terminal import print_list, say

    rows = [
        *((network.name, network.summary, ", ".join(network.positions)) for network in NETWORKS),
        ("MODULE:FACTORY", "your own: a function that returns a torch.nn.Module", "any module's path"),
        ("timm:NAME", "a network of timm's, where timm is installed", "any module's path"),
    ]
    print_list(("network", "what it is", "positions"), rows, wrap=("what it is", "positions"))
    say("\n`dropover models NAME` shows one.", "dim")


def _show(name: str, data: str | None, channels: int, size: int, classes: int) -> None:
    import torch

    from dropover.lab.data.parts.loading import load_data
    from dropover.lab.models.parts.foreign import network_named
    from dropover.lab.study import DataSettings
    from dropover.lab.telling.terminal import print_facts, print_list, say

    if data is not None:
        images = load_data(DataSettings(name=data))
        (_, channels, size, _), classes = images.train_images.shape, len(images.classes)
    network = network_named(name)
    for setting, default in network.settings().items():
        if default is inspect.Parameter.empty:
            raise ValueError(f"{name} needs a setting {setting!r}, which only a study can give it")
    with torch.random.fork_rng(devices=[]):
        model = network.build(channels, size, classes)
    two = torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(0))
    settings = [f"{key}={value!r}" for key, value in network.settings().items()]
    facts = [
        ("what it is", network.summary),
        ("built for", f"{channels} channel{'s' * (channels > 1)} of {size}×{size} pixels, {classes} classes"),
        ("parameters", f"{sum(parameter.numel() for parameter in model.parameters()):,}"),
        ("settings", ", ".join([*settings, *["and others"] * network.takes_any_setting]) or "none"),
    ]
    say(name, "bold")
    print_facts(facts)
    say("")
    columns = ("position", "where", "kind", "what passes") if network.positions else ("position", "kind", "what passes")
    rows = _named(network, model, two) if network.positions else _by_path(model, two)
    print_list(columns, rows, wrap=columns)
    paths = [path for path, _ in model.named_modules() if path]
    say(
        f"\nA study's `at` takes the path of any of the {len(paths)} modules"
        f"{' too' if network.positions else ''}: 'after {paths[-1]}' or 'before {paths[-1]}'; a path alone means after."
        if paths
        else "\nThe network has no modules inside where a layer could sit.",
        "dim",
    )


def _named(network: "Network", model: "nn.Module", images: "Tensor") -> list[tuple[str, ...]]:
    """The named positions, those of the same content in one row; groups by the names that their parts have alone."""
    from dropover.lab.models.parts.positions import positions

    alone = {target: name for name, target in network.positions.items() if isinstance(target, str)}
    rows: list[tuple[str, ...]] = []
    for name, places in positions(model, network.positions, images).items():
        target = network.positions[name]
        heads = name, target if isinstance(target, str) else ", ".join(alone.get(part, part) for part in target)
        for (kind, content), count in Counter((place.kind, place.content) for place in places).items():
            rows.append((*heads, kind, f"{count} times {content}" if count > 1 else content))
            heads = "", ""
    return rows


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
