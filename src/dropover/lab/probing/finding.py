"""Where to look into a net of which nothing is known: found by one run on an image."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dropover.insertion.modes import training_flags
from dropover.lab.models.parts.positions import Place


def default_places(model: nn.Module, images: Tensor) -> list[Place]:
    """After the last maps before a pooling, and before the last linear layer; where a net has neither, nothing.

    Args:
        model: Maps images to anything; it is left as it was.
        images: (N, channels, height, width), pixels in [0, 1].

    Returns:
        At most two places, the maps' first. Maps are (N, units, height, width) of more than one pixel, or tokens
        (N, tokens, features): whichever the net calls last.
    """
    maps: list[str] = []
    linear: list[str] = []

    def witness(path: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def note(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            if isinstance(module, nn.Linear) and args and isinstance(args[0], Tensor) and args[0].ndim == 2:
                linear.append(path)
            pools = "pool" in type(module).__name__.lower()
            if not pools and isinstance(output, Tensor) and output.ndim in (3, 4) and output[0, 0].numel() > 1:
                maps.append(path)

        return note

    handles = [module.register_forward_hook(witness(path)) for path, module in model.named_modules() if path]
    try:
        with torch.no_grad(), training_flags(model, lambda _module: False):
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    return [Place(path, "after") for path in maps[-1:]] + [Place(path, "before") for path in linear[-1:]]
