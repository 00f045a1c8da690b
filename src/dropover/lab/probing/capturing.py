"""What passes through modules of a net, for many images, in evaluation mode or with the regularizers on."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dropover.insertion.layers import regularizers
from dropover.insertion.modes import training_flags
from dropover.lab.devices import device_of
from dropover.lab.models.parts.positions import Place
from dropover.lab.streams import seeded

PROBING = "probing"
"""The random stream that regularizers draw from while a net is looked into."""


@dataclass(frozen=True)
class Passage:
    """What entered a module and what emerged from it: (N, *) each, detached, on the CPU, in float32 at least."""

    entered: Tensor
    emerged: Tensor


@contextmanager
def watching(modules: Mapping[str, nn.Module], note: Callable[[str, tuple[Any, ...], Any], None]) -> Iterator[None]:
    """Call `note(name, args, output)` after every call of one of the modules."""
    with ExitStack() as hooks:
        for name, module in modules.items():
            hooks.enter_context(module.register_forward_hook(lambda _, args, out, name=name: note(name, args, out)))
        yield


def capture(
    model: nn.Module,
    modules: Mapping[str, nn.Module],
    images: Tensor,
    *,
    regularized: bool = False,
    seed: int = 0,
    batch_size: int = 250,
) -> dict[str, Passage]:
    """What passes through modules of a net when it is shown images. The net is left as it was.

    Args:
        model: Maps images to anything.
        modules: Modules of the net, or layers that were inserted into it, under any names. Where one is called several
            times for one image, its last call counts.
        images: (N, channels, height, width), pixels in [0, 1].
        regularized: Whether dropover's layers act as in training. All else is in evaluation mode in either case.
        seed: Where the layers' draws begin.
        batch_size: Images shown at once.

    Raises:
        ValueError: a module that is never called, or that takes or gives no tensor.
    """
    # Layers that have a rate in training; those for inference act in evaluation mode anyway.
    layers = [layer for layer in regularizers(model) if layer.rule is not None] if regularized else []
    acting = {module for layer in layers for module in layer.modules()}
    passages: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in modules}
    last: dict[str, tuple[Tensor | None, Tensor | None]] = {}

    def note(name: str, args: tuple[Any, ...], output: Any) -> None:
        # What enters may be overwritten by a ReLU that works in place: it has to be copied now.
        first = output[0] if isinstance(output, tuple | list) and output else output
        last[name] = _copy(args[0] if args else None), _copy(first)

    drawing, acting_alone = seeded(seed, PROBING, device_of(model)), training_flags(model, acting.__contains__)
    with torch.no_grad(), drawing, acting_alone, watching(modules, note):
        for batch in torch.split(images, batch_size):
            last.clear()
            model(batch)
            for name in modules:
                if name not in last:
                    raise ValueError(f"{name!r} is never called when the model is shown an image")
                entered, emerged = last[name]
                if entered is None or emerged is None:
                    raise ValueError(f"{name!r} does not take and give tensors")
                passages[name].append((entered, emerged))
    return {name: Passage(*map(torch.cat, zip(*parts, strict=True))) for name, parts in passages.items()}


def activations(
    model: nn.Module, place: Place, images: Tensor, *, regularized: bool = False, seed: int = 0, batch_size: int = 250
) -> Tensor:
    """What passes at one place of a net, (N, *), behind whatever layer was inserted there; see `capture`."""
    modules = {place.path: model.get_submodule(place.path)}
    (passage,) = capture(model, modules, images, regularized=regularized, seed=seed, batch_size=batch_size).values()
    return passage.entered if place.side == "before" else passage.emerged


def default_places(model: nn.Module, images: Tensor) -> list[Place]:
    """Where to look: after the last maps before a pooling, and before the last linear layer; of what a net has of them.

    Maps are (N, units, height, width) of more than one pixel, or tokens (N, tokens, features): whichever the net, shown
    images (N, channels, height, width) and left as it was, calls last.
    """
    modules = {path: module for path, module in model.named_modules() if path}
    maps: list[str] = []
    linear: list[str] = []

    def note(path: str, args: tuple[Any, ...], output: Any) -> None:
        if isinstance(modules[path], nn.Linear) and args and isinstance(args[0], Tensor) and args[0].ndim == 2:
            linear.append(path)
        pools = "pool" in type(modules[path]).__name__.lower()
        if not pools and isinstance(output, Tensor) and output.ndim in (3, 4) and output[0, 0].numel() > 1:
            maps.append(path)

    with torch.no_grad(), training_flags(model, lambda _module: False), watching(modules, note):
        model(images)
    return [Place(path, "after") for path in maps[-1:]] + [Place(path, "before") for path in linear[-1:]]


def _copy(value: Any) -> Tensor | None:
    if not isinstance(value, Tensor):
        return None
    dtype = torch.promote_types(value.dtype, torch.float32) if value.is_floating_point() else value.dtype
    return value.detach().to("cpu", dtype, copy=True)
