"""Fast adaptive boundary attack (Croce & Hein 2020): the nearest adversarial image, found across linear boundaries."""

from dataclasses import replace

import torch
from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.losses import Loss, margin
from dropover.lab.attacks.parts.nearest import Nearest
from dropover.lab.attacks.parts.norms import Norm
from dropover.lab.attacks.parts.task import Task, runners_up
from dropover.validation import whole

# The paper's: how far over the boundary a step goes, how near to the clean image's own step the next point is at most,
# and how much of the way is left of a point that has fallen.
_BEYOND, _NEARNESS, _BACK = 1.05, 0.1, 0.9
# Tangents to a bent line: on images of nets half as many are exact.
_TANGENTS = 10


def fab(task: Task, *, steps: int = 100, restarts: int = 1, classes: int = 9) -> list[Tensor]:
    """Step onto the linearised boundary with a class, from the last point and from the clean image, and mix the two.

    The nearest success is kept; one run serves every ε, and an image falls where its distance is at most ε. It leaves
    once it has fallen in the smallest ball. There is no loss, so that no logit scale hides anything.

    For each of the `classes` of the greatest wrong logits (at least 1) there are `restarts` runs (at least 1) of
    `steps` steps (at least 1): the first from the clean image, the others from random points.
    """
    for name, value in (("steps", steps), ("restarts", restarts), ("classes", classes)):
        whole(name, value, 1)
    nearest = Nearest(task)
    generator = task.generator()
    starts = [None, *(task.norm.uniform(task.images, generator) for _ in range(restarts - 1))]
    # A wanted class has to be above all others, else the one gone to above the right one: any wrong class will do.
    loss = _above_right if task.targets is None else margin
    for toward in runners_up(task, classes):
        aimed = replace(task, toward=toward)
        for start in starts:
            for piece in task.pieces(task.open[nearest.stands(task.open)]):
                _approach(aimed, loss, nearest, piece, start, steps)
    return nearest.within_each_ball()


def _approach(task: Task, loss: Loss, nearest: Nearest, which: Tensor, start: Tensor | None, steps: int) -> None:
    """One run on the images `which` towards where the loss is 0; `nearest` keeps the best."""
    clean, norm = task.images[which], task.norm
    x = clean
    if start is not None:
        reach = nearest.distance[which].clamp_max(task.eps[-1]) / 2
        x = (clean + _spread(reach) * start[which]).clamp(0, 1)
    for _ in range(steps):
        if not len(which):
            break
        height, slope = _linearised(task, loss, x, which)
        from_x = _onto_plane(norm, x, slope, height)
        from_clean = _onto_plane(norm, clean, slope, height + (slope * (clean - x)).flatten(1).sum(1))
        ways = norm.length(from_x - x), norm.length(from_clean - clean)
        share = (ways[0] / (ways[0] + ways[1]).clamp_min(1e-12)).clamp(0, _NEARNESS)
        ahead, ahead_clean = x + _BEYOND * (from_x - x), clean + _BEYOND * (from_clean - clean)
        x = torch.lerp(ahead, ahead_clean, _spread(share)).clamp(0, 1)
        hit = nearest.keep(x, which)
        x = torch.where(_spread(hit), torch.lerp(clean, x, _BACK), x)
        stands = nearest.stands(which)
        if not stands.all():
            x, clean, which = x[stands], clean[stands], which[stands]


def _above_right(logits: Tensor, labels: Tensor, toward: Tensor | None) -> Tensor:
    assert toward is not None
    return (logits.gather(1, toward[:, None]) - logits.gather(1, labels[:, None])).squeeze(1)


def _linearised(task: Task, loss: Loss, x: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """The loss (n,) and its gradient, divided by the gradient's largest entry: the square of a vanishing one is 0."""
    response = task.response(x, which, loss)
    assert response.gradient is not None
    slope = response.gradient / task.draws
    largest = slope.abs().flatten(1).amax(1).clamp_min(torch.finfo(slope.dtype).tiny)
    return response.values / largest, slope / _spread(largest)


def _onto_plane(norm: Norm, point: Tensor, slope: Tensor, height: Tensor) -> Tensor:
    """The nearest image with pixels in [0, 1] where height + slope · (image - point) is 0, or is nearest to 0.

    The way goes along the norm's steepest direction until pixels reach the border of [0, 1], and on in the others. The
    height falls along it in ever flatter pieces, so that the zero of each tangent is before the one that is wanted.
    """
    way = -_spread(height.sign()) * slope
    direction = way.sign() * norm.scale if norm.name == "linf" else way * norm.scale**2
    room = torch.where(direction > 0, 1 - point, point)
    border = torch.where(direction == 0, 0, room / direction.abs().clamp_min(1e-30))
    falls, farthest = (slope * direction).abs(), border.flatten(1).amax(1)
    length = torch.zeros_like(height)
    for _ in range(_TANGENTS):
        left = height.abs() - (falls * border.minimum(_spread(length))).flatten(1).sum(1)
        rate = (falls * (border > _spread(length))).flatten(1).sum(1)
        length = torch.where(rate > 0, length + left.clamp_min(0) / rate, length).minimum(farthest)
    return (point + _spread(length) * direction).clamp(0, 1)


def _spread(per_image: Tensor) -> Tensor:
    return per_image[:, None, None, None]


_SUMMARY = "the nearest adversarial image, from boundary to boundary of one class after the other"
ATTACKS.add(Attack("fab", (), _SUMMARY, fab, loss="margin"))
