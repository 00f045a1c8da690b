"""What passes through a module of a net, for many images, in evaluation mode or with the regularisers on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dropover.insertion.layers import regularizers
from dropover.insertion.modes import training_flags
from dropover.lab.models.parts.positions import Place
from dropover.lab.streams import seeded

PROBING = "probing"
"""The random stream that regularisers draw from while a net is looked into."""


@dataclass(frozen=True)
class Passed:
    """What entered a module and what left it: (N, *) each, detached, on the CPU."""

    entered: Tensor
    left: Tensor


def capture(
    model: nn.Module,
    modules: Mapping[str, nn.Module],
    images: Tensor,
    *,
    regularized: bool = False,
    seed: int = 0,
    batch_size: int = 250,
) -> dict[str, Passed]:
    """What passes through modules of a net when it is shown images. The net is left as it was.

    Args:
        model: Maps images to anything.
        modules: What to watch: modules of the net, or layers that were inserted into it, under any names. Where a
            module is called several times for one image, its last call counts.
        images: (N, channels, height, width), pixels in [0, 1].
        regularized: Whether dropover's layers act as in training. All else is in evaluation mode in either case.
        seed: Where the layers' draws begin.
        batch_size: Images shown at once.

    Returns:
        What entered and left each module, under the same names.

    Raises:
        ValueError: a module that is never called, or that takes or gives no tensor.
    """
    acting = _acting_in_training(model) if regularized else set()
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in modules}
    last: dict[str, tuple[Any, Any]] = {}
    handles = [module.register_forward_hook(_witness(name, last)) for name, module in modules.items()]
    try:
        with torch.no_grad(), seeded(seed, PROBING), training_flags(model, acting.__contains__):
            for batch in torch.split(images, batch_size):
                last.clear()
                model(batch)
                for name in modules:
                    seen[name].append(_tensors(name, last))
    finally:
        for handle in handles:
            handle.remove()
    return {name: Passed(*map(torch.cat, zip(*parts, strict=True))) for name, parts in seen.items()}


def activations(
    model: nn.Module, place: Place, images: Tensor, *, regularized: bool = False, seed: int = 0, batch_size: int = 250
) -> Tensor:
    """What passes at one place of a net, behind whatever layer was inserted there; arguments as for `capture`.

    Returns:
        (N, *), on the CPU.
    """
    found = capture(
        model,
        {place.path: model.get_submodule(place.path)},
        images,
        regularized=regularized,
        seed=seed,
        batch_size=batch_size,
    )[place.path]
    return found.entered if place.side == "before" else found.left


def _acting_in_training(model: nn.Module) -> set[nn.Module]:
    """The modules of all layers that have a rate in training; those for inference act in evaluation mode anyway."""
    return {module for layer in regularizers(model) if layer.rule is not None for module in layer.modules()}


def _witness(name: str, last: dict[str, tuple[Any, Any]]) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
    def note(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        # What enters may be overwritten by a ReLU that works in place: it has to be copied now.
        entered = args[0].detach().to("cpu", copy=True) if args and isinstance(args[0], Tensor) else None
        first = output[0] if isinstance(output, tuple | list) and output else output
        left = first.detach().to("cpu", copy=True) if isinstance(first, Tensor) else None
        last[name] = entered, left

    return note


def _tensors(name: str, last: Mapping[str, tuple[Any, Any]]) -> tuple[Tensor, Tensor]:
    if name not in last:
        raise ValueError(f"{name!r} is never called when the model is shown an image")
    entered, left = last[name]
    if entered is None or left is None:
        raise ValueError(f"{name!r} does not take and give tensors")
    return entered, left
