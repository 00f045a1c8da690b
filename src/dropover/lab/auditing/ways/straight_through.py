"""Straight through steps inside of a net: a layer that hides the slope of what it gives passes the gradient on.

Source: Bengio, Léonard & Courville 2013; Athalye, Carlini & Wagner 2018.
"""

from collections.abc import Callable, Iterator, Sequence
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


def _pass_on(_layer: nn.Module, entered: Tensor, given: Tensor) -> Tensor | None:
    return straight(given, entered) if torch.is_grad_enabled() else None


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
        given = layer.forward(point.clone())  # it may work in place
        (slope,) = torch.autograd.grad(given.sum(), point, allow_unused=True) if given.requires_grad else (None,)
    on = given.detach() != 0
    if slope is None:
        return bool(on.any())
    lost = (slope == 0) | ~slope.isfinite()
    return bool((lost & on).sum() > _HIDDEN * on.sum())


@contextmanager
def _looked_at(
    layers: Sequence[nn.Module], look: Callable[[nn.Module, Tensor, Tensor], Tensor | None]
) -> Iterator[None]:
    """Have `look` see what each layer got and gave, where the shape stayed, and replace what it gave if it wants to.

    A layer gets a copy: one that works in place would overwrite what it got.
    """
    got: dict[nn.Module, tuple[Any, ...]] = {}

    def enter(layer: nn.Module, entered: tuple[Any, ...]) -> tuple[Any, ...]:
        got[layer] = entered
        return tuple(each.clone() if isinstance(each, Tensor) else each for each in entered)

    def leave(layer: nn.Module, _entered: tuple[Any, ...], given: Any) -> Tensor | None:
        entered = got.pop(layer)
        return look(layer, entered[0], given) if _same_shape(entered, given) else None

    hooks = [each.register_forward_pre_hook(enter) for each in layers]
    hooks += [each.register_forward_hook(leave) for each in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _hiding(subject: Subject) -> list[nn.Module]:
    """The model's layers without weights that keep the shape and hide the slope."""
    found: dict[nn.Module, bool] = {}

    def ask(layer: nn.Module, entered: Tensor, _given: Tensor) -> None:
        if layer not in found:
            found[layer] = _hides(layer, entered)

    inner = [each for each in subject.model.model.modules() if each is not subject.model.model]
    with _looked_at([each for each in inner if not any(True for _ in each.parameters())], ask):
        subject.passed(subject.model, subject.images[: subject.budget.probed], "straight through")
    return [layer for layer, hides in found.items() if hides]


@contextmanager
def _copy(subject: Subject, _evidence: Evidence) -> Iterator[nn.Module | None]:
    layers = _hiding(subject)
    with _looked_at(layers, _pass_on):
        yield subject.model if layers else None


WAYS.add(Way("straight through", "layers that hide the slope of what they give pass the gradient on", _copy))
