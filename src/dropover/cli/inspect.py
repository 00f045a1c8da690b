"""`dropover inspect`: pictures from inside a trained net."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dropover.cli.ending import RESULTS, failures_told
from dropover.cli.options import Device, Precision, directory, number

if TYPE_CHECKING:
    from dropover.lab.report.inspection import Subject
    from dropover.lab.study import DataSettings


def inspect(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Your own MODULE:FACTORY, a network's name, or timm:NAME.")
    ],
    data: Annotated[str, typer.Option(metavar="NAME", help="A data set's name, or your own MODULE:FACTORY.")],
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A state_dict, of torch.save or safetensors. [default: as the model is made]"
        ),
    ] = None,
    folder: Annotated[Path | None, directory("Where the data set's files are.")] = None,
    size: Annotated[int | None, number("Scale a folder's images to N pixels a side.")] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="POSITION",
            help="Where to look: a position's name, a module's path, or 'before ' and one; may be repeated. "
            "[default: the last maps before a pooling and the features before the last linear layer]",
        ),
    ] = None,
    out: Annotated[Path, directory("Where the pictures go.")] = RESULTS / "inspect",
    eps: Annotated[float, typer.Option(min=0, max=1, metavar="E", help="The attack's size in L∞, in pixels.")] = 0.1,
    images: Annotated[int, typer.Option(min=1, max=20, metavar="N", help="How many images a picture shows.")] = 8,
    device: Device = None,
    precision: Precision = None,
) -> None:
    """Draw a trained net from inside.

    Activations, what its layers (or FDD, if it has none) drop, what its maps look at by density, and the images that it
    gets, noisy and attacked. Writes SVG, PDF and PNG files and a page, index.html.
    """
    from dropover.lab.devices import check
    from dropover.lab.report.inspection import draw_all, write_inspection
    from dropover.lab.study import DataSettings

    with failures_told(out, ValueError):
        check(device or "auto", precision or "fp32")
        shown = _shown(model, DataSettings(name=data, folder=folder, size=size), weights, at or [], images)
        shown = shown.on(device or "auto", precision or "fp32")
    places = [f"{each.place}: {each.content}" for each in shown.positions]
    facts = {
        "Network": f"{model}, {sum(each.numel() for each in shown.model.parameters()):,} parameters",
        "Weights": str(weights) if weights is not None else "as the model is made: no file was given",
        "Data": f"{data}: {len(shown.data.test_labels):,} test images",
        "Looked at": "; ".join(places),
    }
    with failures_told(out):
        files = write_inspection(out, model, facts, draw_all(shown, eps))
    for place in places:
        typer.echo(place)
    names = dict.fromkeys(file.stem for file in files[1:])
    typer.echo(f"Written: {files[0]}, and as SVG, PDF and PNG beside it {', '.join(names)}")


def _shown(name: str, settings: "DataSettings", weights: Path | None, at: list[str], count: int) -> "Subject":
    """The net with its weights, the images, and where to look.

    Raises:
        ValueError: one of them can't be had, said in one line.
    """
    import torch

    from dropover.lab.data.parts.loading import load_data
    from dropover.lab.models.parts.foreign import network_named
    from dropover.lab.models.parts.weights_file import load_weights
    from dropover.lab.report.inspecting import looked_at
    from dropover.lab.report.inspection import Subject
    from dropover.lab.streams import WEIGHTS, seeded

    data = load_data(settings)
    _, channels, size, _ = data.test_images.shape
    network = network_named(name)
    with seeded(0, WEIGHTS):
        model = network.build(channels, size, len(data.classes)).to(memory_format=torch.channels_last).eval()
    if weights is not None:
        load_weights(model, weights)
    return Subject(model, data, looked_at(model, network.positions, at, data.test_images), count)
