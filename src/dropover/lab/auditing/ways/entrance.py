"""Past what is done to the pixels: the gradient where the net begins is taken for the gradient of the image.

Source: Athalye, Carlini & Wagner 2018, "Obfuscated gradients give a false sense of security", BPDA with the identity:
rounding, filters, encodings and purification of an image give nearly the image, so that their slope is nearly 1.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject
from dropover.lab.auditing.ways import WAYS, Way
from dropover.lab.auditing.ways.parts.identity import straight


class _Past(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._model = model
        self._image: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self._image = x
        try:
            logits: Tensor = self._model(x)
        finally:
            self._image = None
        return logits

    def enter(self, _layer: nn.Module, entered: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """Hangs before the net's first layer."""
        image = self._image
        if image is None or not entered or entered[0].shape != image.shape or not torch.is_grad_enabled():
            return None
        first = entered[0]
        # A leaf of its own is where the model itself asks for a gradient, on its way to what it answers on.
        if first is image or (first.requires_grad and first.is_leaf):
            return None
        return (straight(first, image.to(first.dtype)), *entered[1:])


def _first_layer(subject: Subject) -> nn.Module | None:
    """The last module of the model, in the order of calls, into which something of the image's shape goes."""
    image, seen = subject.images[:1], list[nn.Module]()

    def note(layer: nn.Module, entered: tuple[Tensor, ...]) -> None:
        if entered and isinstance(entered[0], Tensor) and entered[0].shape == image.shape:
            seen.append(layer)

    hooks = [layer.register_forward_pre_hook(note) for layer in subject.model.model.modules()]
    try:
        subject.passed(subject.model, image, "entrance")
    finally:
        for hook in hooks:
            hook.remove()
    # With weights: what has none is part of what is done to the pixels.
    with_weights = [layer for layer in seen if any(True for _ in layer.parameters())]
    return with_weights[-1] if with_weights and with_weights[-1] is not subject.model.model else None


@contextmanager
def _copy(subject: Subject, _evidence: Evidence) -> Iterator[nn.Module | None]:
    layer = _first_layer(subject)
    if layer is None:
        yield None
        return
    past = _Past(subject.model)
    hook = layer.register_forward_pre_hook(past.enter)
    try:
        yield past
    finally:
        hook.remove()


WAYS.add(Way("past the entrance", "the gradient at the net's first layer is taken for the image's", _copy))
