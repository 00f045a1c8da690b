"""Deconvolution: one unit's activations led back through a net to the pixels that they speak of."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from dropover.insertion.modes import training_flags
from dropover.lab.models.parts.positions import Place
from dropover.lab.probing.capturing import watching

_RELUS = {F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}


def invert(model: nn.Module, place: Place, image: Tensor, units: Iterable[int], *, at_once: int = 64) -> Tensor:
    """Lead single units back from a place in a net to the input, each from all of its activations.

    All other units are set to zero and the signal goes back through the net: a convolution by its transpose, a max
    pool to the place that its maximum came from, a ReLU by a ReLU on the signal (Zeiler & Fergus 2014, section 2.1),
    all else by its derivative. A unit's whole map is led back, not its largest activation alone, since the question is
    how far over the image a map's evidence is spread.

    Every ReLU counts, also one that is a function or is called several times. That is why this is own code: captum's
    `Deconvolution` gives the same to the bit where all ReLUs are `nn.ReLU` modules (tried on torchvision's ResNet-18,
    which calls some twice), but passes the true gradient through ReLUs that are functions without a word, and would be
    one more dependency.

    Args:
        model: Maps images to anything; it is run in evaluation mode and left as it was.
        place: Where (N, units, *) passes; of several calls of its module the last counts.
        image: (channels, height, width), pixels in [0, 1].
        units: Which units.
        at_once: Units led back in one pass.

    Returns:
        (len(units), channels, height, width): the signal that reaches the pixels, on the CPU.

    Raises:
        ValueError: the place is never reached, or what passes there is no tensor (N, units, *).
    """
    chosen = torch.tensor(list(units), dtype=torch.int64)
    parts = []
    with training_flags(model, lambda _module: False):
        for batch in torch.split(chosen, at_once):
            pixels = image.detach().expand(len(batch), *image.shape).clone().requires_grad_()
            output = _passing(model, place, pixels)
            signal = torch.zeros_like(output)
            at = (torch.arange(len(batch), device=output.device), batch.to(output.device))
            signal[at] = output.detach()[at]
            parts.append(torch.autograd.grad(output, pixels, signal)[0].to("cpu"))
    return torch.cat(parts) if parts else torch.zeros(0, *image.shape)


def heat(signal: Tensor) -> Tensor:
    """Heat maps (units, height, width), in [0, 1], of inverted units (units, channels, height, width).

    That is the magnitude, summed over the colours, with a maximum of 1; zeros stay zeros.
    """
    summed = signal.abs().sum(dim=1)
    largest = summed.amax(dim=(1, 2), keepdim=True)
    return summed / torch.where(largest > 0, largest, 1)


def entropy(heat_maps: Tensor, levels: int = 256) -> Tensor:
    """Shannon's entropy in bits of each heat map's histogram of grey levels.

    The paper prints 2.045 for low and 3.616 for high density and does not define its entropy. This one, an image's
    usual entropy, gives figures of that size (0 to 8 bits); that of the map as a distribution over pixels, at 2.045
    bits, would mean that a heat map covers four pixels.

    It is (maps,) of maps (maps, height, width) in [0, 1], from 0 for one flat colour to log2(levels).

    Source: Ke et al. 2020, figure 3.
    """
    grey = (heat_maps.flatten(1) * levels).floor().clamp(0, levels - 1).long()
    share = F.one_hot(grey, levels).double().mean(dim=1)
    bits: Tensor = torch.special.entr(share).sum(dim=1) / math.log(2)
    return bits


class _Deconvolved(torch.autograd.Function):
    """A ReLU whose backward pass is a ReLU on the gradient, whatever went forward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0].clamp(min=0)


class _EveryReLU(TorchFunctionMode):
    """While it is on, all ReLUs are `_Deconvolved`; none works in place."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in _RELUS:
            return _Deconvolved.apply(args[0] if args else (kwargs or {})["input"])
        return func(*args, **(kwargs or {}))


def _passing(model: nn.Module, place: Place, pixels: Tensor) -> Tensor:
    """What passes at a place, with its graph."""
    passages: list[Any] = []

    def note(_path: str, args: tuple[Any, ...], output: Any) -> None:
        passages.append(args[0] if place.side == "before" and args else output)

    with torch.enable_grad(), _EveryReLU(), watching({place.path: model.get_submodule(place.path)}, note):
        model(pixels)
    if not passages:
        raise ValueError(f"the model, shown an image, never comes to the place {place}")
    if not isinstance(passages[-1], Tensor) or passages[-1].ndim < 2:
        raise ValueError(f"units (N, units, *) must pass {place}, got {type(passages[-1]).__name__}")
    return passages[-1]
