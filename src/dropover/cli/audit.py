"""`dropover audit`: how far a net's robustness can be believed."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dropover.cli.ending import RESULTS, fail, failures_told, goes_on, stops_told
from dropover.cli.options import Device, Precision, directory, number

if TYPE_CHECKING:
    from torch import nn

    from dropover.lab.auditing.audit import Asked
    from dropover.lab.data import Data


@dataclass(frozen=True)
class _Named:
    """The model and the images as the command line names them; audit.json keeps it."""

    model: str
    weights: str | None
    data: str | None
    folder: str | None
    size: int | None
    device: str | None
    precision: str | None


def audit(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="Your own MODULE:FACTORY, a network's name, timm:NAME, or a trial of a study, RESULTS:ARM/SEED.",
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="NAME", help="A data set's name, or your own MODULE:FACTORY.")
    ] = None,
    eps: Annotated[
        str | None, typer.Option(metavar="E", help="The ball's radius in pixels of [0, 1], such as 8/255 or 0.1.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A state_dict, of torch.save or safetensors. [default: as the model is made]"
        ),
    ] = None,
    norm: Annotated[str, typer.Option(metavar="NORM", help="linf or l2.")] = "linf",
    claim: Annotated[
        str | None, typer.Option(metavar="SHARE", help="The robust accuracy that is claimed, such as 0.45.")
    ] = None,
    budget: Annotated[str, typer.Option(metavar="BUDGET", help="quick, standard or full.")] = "quick",
    out: Annotated[Path | None, directory("Where the files go. [default: results/audit/MODEL]")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of everything that is drawn.")] = 0,
    folder: Annotated[Path | None, directory("Where the data set's files are.")] = None,
    size: Annotated[int | None, number("Scale a folder's images to N pixels a side.")] = None,
    device: Device = None,
    precision: Precision = None,
    verify: Annotated[
        Path | None, directory("Recompute a finished audit's figure and verdict from its folder, and nothing else.")
    ] = None,
) -> None:
    """Try everything to bring a net's robust accuracy down, check that the trying was sound, and judge.

    The verdict is "supported", "upper bound only" or "broken". Writes audit.html, audit.json and the adversarial
    images. Ctrl-C keeps what was found, and the same command goes on from there.

    Exits with 0 where the verdict is "supported", and where --verify finds nothing at fault; else with 1. What can't be
    audited exits with 2.
    """
    # Imported here, so that --help doesn't wait for torch.
    from dropover.lab.blame import ForeignError

    files = [None if each is None else str(each) for each in (weights, folder)]
    if verify is not None:
        _verify(verify, {"model": model, "weights": files[0], "data": data, "folder": files[1]})
        return
    if model is None or eps is None:
        fail("which model, and how large a ball? such as: dropover audit my_module:net --data mnist-5k --eps 8/255")
    named = _Named(model, files[0], data, files[1], size, device, precision)
    results = out or RESULTS / "audit" / re.sub(r"[^\w.]+", "-", model).strip("-")
    with stops_told(f"Stopped: what was found is kept. {goes_on()}"), failures_told(results, ValueError, ForeignError):
        from dropover.lab.auditing.audit import Asked

        share = None if claim is None else _number("claim", claim)
        asked = Asked(_number("eps", eps), norm, share, budget, seed)  # type: ignore[arg-type]  # it checks the budget
        net, images = _given(named)
        results.mkdir(parents=True, exist_ok=True)
        supported = _audit(net, images, asked, results, named)
    raise typer.Exit(0 if supported else 1)


def _audit(net: "nn.Module", data: "Data", asked: "Asked", out: Path, named: _Named) -> bool:
    """Make the audit and show it; whether its verdict is "supported"."""
    from dropover.lab.auditing.verdict import SUPPORTED
    from dropover.lab.report.audits import audit as made
    from dropover.lab.telling.auditing import auditing, show

    what = f"{named.model}: {asked.budget} audit at ε = {asked.eps:g}, {asked.norm}"
    with auditing(what) as report:
        found = made(
            net,
            data.test_images,
            data.test_labels,
            **asdict(asked),
            out=out,
            report=report,
            classes=data.classes,
            title=named.model,
            asked=asdict(named),
        )
    show(found)
    typer.echo(f"Written: {out / 'audit.html'}, and beside it audit.json and adversarial.safetensors")
    return found.verdict == SUPPORTED


def _verify(folder: Path, given: Mapping[str, str | None]) -> None:
    """Recompute what is kept; what is given goes before what audit.json says of the model and the images."""
    with stops_told(), failures_told(RESULTS, ValueError, FileNotFoundError):
        from dropover.lab.auditing.keeping import FACTS, read_facts
        from dropover.lab.auditing.verifying import verify
        from dropover.lab.records.files import DamagedError

        try:
            facts = read_facts(folder)
        except DamagedError as reason:
            fail(f"{folder / FACTS} {reason}", code=1)
        if facts is None:
            fail(f"{folder}: there is no finished audit: it has no {FACTS}")
        asked: dict[str, Any] = {**dict.fromkeys(_Named.__annotations__), **facts["asked"]}
        asked |= {key: value for key, value in given.items() if value is not None}
        if asked["model"] is None:
            fail(f"{folder} was made of a model in hand: verify it by lab.verify(model, folder), or name the model")
        net, data = _given(_Named(**asked))
        found = verify(net, folder, data.test_images, data.test_labels)
    typer.echo(str(found))
    if not found:
        fail(f"{folder}: is not what was written, or doesn't follow from the model", code=1)


def _given(named: _Named) -> "tuple[nn.Module, Data]":
    """The net with its weights, on its device, and the images.

    Raises:
        ValueError: one of them can't be had, said in one line.
    """
    from dropover.lab.data.parts.loading import load_data
    from dropover.lab.devices import check, device_named, put
    from dropover.lab.models.parts.foreign import network_named
    from dropover.lab.models.parts.weights_file import load_weights
    from dropover.lab.running.kept_nets import is_trial
    from dropover.lab.streams import WEIGHTS, seeded
    from dropover.lab.study import DataSettings

    if is_trial(named.model):
        return _of_trial(named)
    if named.data is None:
        raise ValueError(
            "--data is missing: which images is the model audited on? `dropover data --help` tells of them"
        )
    device, precision = named.device or "auto", named.precision or "fp32"
    check(device, precision)  # type: ignore[arg-type]  # the command line has checked it
    where = None if named.folder is None else Path(named.folder)
    data = load_data(DataSettings(name=named.data, folder=where, size=named.size))
    _, channels, size, _ = data.test_images.shape
    network = network_named(named.model)
    with seeded(0, WEIGHTS):
        net = network.build(channels, size, len(data.classes)).eval()
    if named.weights is not None:
        load_weights(net, Path(named.weights))
    there = device_named(device)
    return put(net, there, precision), data.to(there)  # type: ignore[arg-type]


def _of_trial(named: _Named) -> "tuple[nn.Module, Data]":
    from dropover.lab.running.kept_nets import trial_net

    own = [
        f"--{name}" for name in ("weights", "data", "folder", "size", "precision") if getattr(named, name) is not None
    ]
    if own:
        raise ValueError(f"{named.model} has its own images and weights: {', '.join(own)} can't be given with a trial")
    net, data, _ = trial_net(named.model, lambda line: typer.echo(line, err=True), named.device)
    return net, data


def _number(name: str, text: str) -> float:
    try:
        return float(Fraction(text.replace(" ", "")))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(f"{name} must be a number or a fraction such as 8/255, got {text!r}") from None
