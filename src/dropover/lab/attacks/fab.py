"""Fast adaptive boundary attack (Croce & Hein 2020): the nearest adversarial image, found across linear boundaries."""

import torch
from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.nearest import Nearest
from dropover.lab.attacks.parts.task import Task, runners_up
from dropover.validation import whole

# The paper's: how far over the boundary a step goes, how near to the clean image's own step the next point is at most,
# and how much of the way is left of a point that has fallen.
_BEYOND, _NEARNESS, _BACK = 1.05, 0.1, 0.9
_HALVINGS = 24


def fab(task: Task, *, steps: int = 100, restarts: int = 1, classes: int = 9) -> list[Tensor]:
    """Step onto the linearised boundary with a class, from the last point and from the clean image, and mix the two.

    The nearest success is kept; one run serves every ε, and an image falls where its distance is at most ε. It knows no
    loss, so that no logit scale hides anything from it.

    For each of the `classes` of the greatest wrong logits (at least 1) there are `restarts` runs (at least 1) of
    `steps` steps (at least 1): the first from the clean image, the others from random points.
    """
    for name, value in (("steps", steps), ("restarts", restarts), ("classes", classes)):
        whole(name, value, 1)
    nearest = Nearest(task)
    generator = task.generator()
    starts = [None, *(task.norm.uniform(task.images, generator) for _ in range(restarts - 1))]
    for toward in runners_up(task, classes):
        aims = task.targets if toward is None else toward
        assert aims is not None
        for start in starts:
            for piece in task.pieces(task.open):
                if len(piece):
                    _approach(task, nearest, piece, aims[piece], start, steps)
    return nearest.within_each_ball()


def _approach(task: Task, nearest: Nearest, which: Tensor, aims: Tensor, start: Tensor | None, steps: int) -> None:
    """One run on the images `which` towards the boundary with the classes `aims`; `nearest` keeps the best."""
    clean, norm = task.images[which], task.norm
    x = clean
    if start is not None:
        reach = nearest.distance[which].clamp_max(task.eps[-1]) / 2
        x = (clean + _spread(reach) * start[which]).clamp(0, 1)
    for _ in range(steps):
        value, slope = _difference(task, x, which, aims)
        # The plane of all z with value + slope · (z - x) = 0.
        flat = slope.flatten(1)
        offset = value - (flat * x.flatten(1)).sum(1)
        from_x = _onto_plane(norm.name, x, slope, offset, norm.scale)
        from_clean = _onto_plane(norm.name, clean, slope, offset, norm.scale)
        ways = norm.length(from_x - x), norm.length(from_clean - clean)
        share = (ways[0] / (ways[0] + ways[1]).clamp_min(1e-12)).clamp(0, _NEARNESS)
        ahead, ahead_clean = x + _BEYOND * (from_x - x), clean + _BEYOND * (from_clean - clean)
        x = torch.lerp(ahead, ahead_clean, _spread(share)).clamp(0, 1)
        hit = nearest.keep(x, which)
        x = torch.where(_spread(hit), torch.lerp(clean, x, _BACK), x)


def _difference(task: Task, x: Tensor, which: Tensor, aims: Tensor) -> tuple[Tensor, Tensor]:
    """By how much the logits of `aims` are above those of the right classes (n,), and the gradient of that."""

    def above(logits: Tensor, labels: Tensor, _targets: Tensor | None) -> Tensor:
        return (logits.gather(1, aims[:, None]) - logits.gather(1, labels[:, None])).squeeze(1)

    response = task.response(x, which, above)
    assert response.gradient is not None
    return response.values, response.gradient / task.draws


def _onto_plane(norm: str, point: Tensor, slope: Tensor, offset: Tensor, scale: Tensor) -> Tensor:
    """The nearest image with pixels in [0, 1] and slope · z + offset = 0, or the one nearest to that plane.

    The way goes along the norm's steepest direction until pixels reach the border of [0, 1], and what is left of it in
    the others: how far, is found by halving, exact to 2^-24 of the way to the farthest border.
    """
    height = (slope * point).flatten(1).sum(1) + offset
    # Towards the plane: down where the point is above it.
    way = -_spread(height.sign()) * slope
    direction = way.sign() * scale if norm == "linf" else way * scale**2
    room = torch.where(direction > 0, 1 - point, point)
    lengths = torch.where(direction == 0, torch.zeros_like(room), room / direction.abs().clamp_min(1e-30))
    low, high = torch.zeros_like(height), lengths.flatten(1).amax(1)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        there = (point + _spread(middle) * direction).clamp(0, 1)
        short = ((slope * there).flatten(1).sum(1) + offset) * height > 0
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    return (point + _spread(high) * direction).clamp(0, 1)


def _spread(per_image: Tensor) -> Tensor:
    return per_image[:, None, None, None]


_SUMMARY = "the nearest adversarial image, from boundary to boundary of one class after the other"
ATTACKS.add(Attack("fab", (), _SUMMARY, fab, loss="margin"))
