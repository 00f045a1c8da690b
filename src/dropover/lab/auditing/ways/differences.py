"""Slopes from differences of logits, where a gradient is cut off, 0, or a lie: simultaneous random perturbations.

Source: Spall 1992 (SPSA), used on masked gradients by Uesato et al. 2018. The noise is made of patches, since what
moves a net's logits is seldom a single pixel.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject
from dropover.lab.auditing.ways import WAYS, Way

_PAIRS = {"quick": 16, "standard": 32, "full": 64}
_SPREAD = 0.5
"""How far from the image differences are taken, a share of ε: more than a step of what hides the slope."""
_PATCHES = (1, 2, 4)
"""The sides of the noise's patches, in pixels, by turns."""


class _Estimated(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, model: nn.Module, subject: Subject) -> Tensor:
        noises, rises = [], []
        reach = _SPREAD * subject.eps
        for pair in range(_PAIRS[subject.budget.name]):
            noise = subject.norm.uphill(_patches(x, _PATCHES[pair % len(_PATCHES)]))
            above, below = (model((x + sign * reach * noise).clamp(0, 1)) for sign in (1, -1))
            noises.append(noise)
            rises.append(above - below)
        context.save_for_backward(torch.stack(noises), torch.stack(rises))
        logits: Tensor = model(x)
        return logits

    @staticmethod
    def backward(context: Any, *slopes: Tensor) -> tuple[Tensor, None, None]:
        noises, rises = context.saved_tensors
        along = (rises * slopes[0]).sum(2)
        return (noises * along[..., None, None, None]).sum(0), None, None


def _patches(like: Tensor, side: int) -> Tensor:
    """Noise of ±1 (N, C, H, W) in squares of a side, put at random over the image's edge."""
    height, width = (length // side + 2 for length in like.shape[2:])
    signs = torch.randint(2, (*like.shape[:2], height, width), device=like.device, dtype=like.dtype) * 2 - 1
    top, left = (int(torch.randint(side, ())) for _ in range(2))
    large = F.interpolate(signs, scale_factor=side)
    return large[:, :, top : top + like.shape[2], left : left + like.shape[3]]


class _Differences(nn.Module):
    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._model, self._subject = subject.model, subject

    def forward(self, x: Tensor) -> Tensor:
        if not (x.requires_grad and torch.is_grad_enabled()):
            plain: Tensor = self._model(x)
            return plain
        logits: Tensor = _Estimated.apply(x, self._model, self._subject)
        return logits


@contextmanager
def _copy(subject: Subject, _evidence: Evidence) -> Iterator[nn.Module]:
    yield _Differences(subject)


WAYS.add(Way("differences", "slopes are estimated from differences of logits", _copy, steps=0.5, draws=1))
