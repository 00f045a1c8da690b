"""Straight through steps inside of a net: a layer that hides the slope of what it gives passes the gradient on.

Source: Bengio, Léonard & Courville 2013; Athalye, Carlini & Wagner 2018.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject
from dropover.lab.auditing.ways import WAYS, Way
from dropover.lab.auditing.ways.parts.identity import straight

_HIDDEN = 0.5
"""Of the values that a layer gives and that aren't 0, the share without a slope from which it hides it."""


def _pass_on(_layer: nn.Module, entered: tuple[Any, ...], given: Any) -> Tensor | None:
    return straight(given, entered[0]) if torch.is_grad_enabled() and _same_shape(entered, given) else None


def _same_shape(entered: tuple[Any, ...], given: Any) -> bool:
    return (
        len(entered) == 1
        and isinstance(entered[0], Tensor)
        and isinstance(given, Tensor)
        and entered[0].shape == given.shape
        and entered[0].dtype == given.dtype
        and given.is_floating_point()
    )


def _hides(layer: nn.Module, entered: Tensor) -> bool:
    """Whether most of what a layer gives has no slope; an activation that is off gives 0, and hides nothing."""
    with torch.enable_grad():
        point = entered.detach().clone().requires_grad_()
        given = layer.forward(point)
        (slope,) = torch.autograd.grad(given.sum(), point, allow_unused=True) if given.requires_grad else (None,)
    on = given.detach() != 0
    if slope is None:
        return bool(on.any())
    lost = (slope == 0) | ~slope.isfinite()
    return bool((lost & on).sum() > _HIDDEN * on.sum())


def _hiding(subject: Subject) -> list[nn.Module]:
    """The model's layers without weights that keep the shape and hide the slope."""
    found: dict[nn.Module, bool] = {}

    def ask(layer: nn.Module, entered: tuple[Any, ...], given: Any) -> None:
        if layer not in found and _same_shape(entered, given):
            found[layer] = _hides(layer, entered[0])

    inner = [each for each in subject.model.model.modules() if each is not subject.model.model]
    hooks = [each.register_forward_hook(ask) for each in inner if not any(True for _ in each.parameters())]
    try:
        subject.passed(subject.model, subject.images[: subject.budget.probed], "straight through")
    finally:
        for hook in hooks:
            hook.remove()
    return [layer for layer, hides in found.items() if hides]


@contextmanager
def _copy(subject: Subject, _evidence: Evidence) -> Iterator[nn.Module | None]:
    layers = _hiding(subject)
    hooks = [layer.register_forward_hook(_pass_on) for layer in layers]
    try:
        yield subject.model if layers else None
    finally:
        for hook in hooks:
            hook.remove()


WAYS.add(Way("straight through", "layers that hide the slope of what they give pass the gradient on", _copy))
