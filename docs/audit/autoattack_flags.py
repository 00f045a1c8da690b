"""What AutoAttack's own checks would have said of a model: its flags, stated anew.

Source: https://github.com/fra31/auto-attack, autoattack/checks.py, with its thresholds. The attacks are the lab's, with
fewer steps and queries than AutoAttack's standard version. Its check of the number of classes is left out: it is silent
on ten of them.
"""

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from dropover import lab
from dropover.lab.attacks.parts.losses import margin_ratio

STEPS, QUERIES = 20, 200
_OPTIMIZING = ("grad", "backward", "_make_grads")


def flags(model: nn.Module, x: Tensor, y: Tensor, eps: float) -> list[str]:
    """The names of the flags that are raised, in AutoAttack's order; "crashes" where its attacks then would."""
    return list(_raised(model, x, y, eps))


def _raised(model: nn.Module, x: Tensor, y: Tensor, eps: float) -> Iterator[str]:
    with torch.no_grad():
        passes = [model(x) for _ in range(5)]
    if _random(passes, y):
        yield "randomized"
    if _probabilities(passes[0]):
        yield "softmax output"
    if _optimizes(model, x):
        yield "dynamic"
    try:
        if _zero_gradient(model, x, y, eps):
            yield "zero gradient"
        if _square_improves(model, x, y, eps):
            yield "Square improves"
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
        yield "crashes"


def _random(passes: list[Tensor], y: Tensor) -> bool:
    """`check_randomized`: the number of right images, or logits of length 1 by more than 1e-4, change."""
    right = {int((logits.argmax(1) == y).sum()) for logits in passes}
    unit = torch.stack([logits / (logits.norm(dim=1, keepdim=True) + 1e-10) for logits in passes])
    apart = (unit[:, None] - unit[None]).norm(dim=-1)
    return len(right) > 1 or bool((apart > 1e-4).any())


def _probabilities(logits: Tensor) -> bool:
    """`check_range_output`: all in [0, 1], and their sum is 1, within 1e-5."""
    whole = bool(((logits.sum(1) - 1).abs() < 1e-5).all())
    return whole and float(logits.max()) < 1 + 1e-5 and float(logits.min()) > -1e-5


def _optimizes(model: nn.Module, x: Tensor) -> bool:
    """`check_dynamic`: a function of torch's that computes gradients is called by the forward."""
    called: set[str] = set()

    def trace(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            called.add(frame.f_code.co_name)

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        model(x)
    finally:
        sys.settrace(before)
    return not called.isdisjoint(_OPTIMIZING)


def _zero_gradient(model: nn.Module, x: Tensor, y: Tensor, eps: float) -> bool:
    """`check_zero_gradients`: at a random start, that of the difference-of-logits ratio is 0 for an image."""
    start = (x + eps * (2 * torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) - 1)).clamp(0, 1)
    start.requires_grad_()
    (gradient,) = torch.autograd.grad(margin_ratio(model(start), y).sum(), start)
    return bool((gradient.flatten(1).abs().sum(1) == 0).any())


def _square_improves(model: nn.Module, x: Tensor, y: Tensor, eps: float) -> bool:
    """`check_square_sr`: of those that the white-box attacks left, Square fells more than 0.2 % of all images."""
    stands = torch.ones(len(y), dtype=torch.bool)
    for name in ("apgd", "apgd-dlr"):
        stands[stands.clone()] = lab.attack(model, x[stands], y[stands], eps, name, steps=STEPS).right[0]
        if not stands.any():
            return False
    left = lab.attack(model, x[stands], y[stands], eps, "square", queries=QUERIES).right[0]
    return int((~left).sum()) > 0.002 * len(y)
