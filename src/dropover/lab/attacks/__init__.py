"""Attacks on a trained model: one file per attack, found by the registry `ATTACKS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dropover.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Attack:
    """An attack by name.

    `run(model, images, labels, eps, generator, **settings)` takes images (N, C, H, W) with pixels in [0, 1] and
    returns adversarial ones within `eps` (L∞, pixels) of them and within [0, 1]. Its keyword-only arguments are the
    attack's settings, refused by `ValueError` or `TypeError`. The model is left exactly as it was found. Random numbers
    come from `generator` and do not depend on the model.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    run: Callable[..., Tensor]


ATTACKS: Registry[Attack] = Registry("attack", __name__)
