"""Square attack (Andriushchenko et al. 2020): random squares, kept where the score falls; reads no gradient."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from dropover.lab.attacks import ATTACKS, Attack
from dropover.lab.attacks.parts.losses import margin
from dropover.lab.attacks.parts.task import Ball, Task
from dropover.validation import number, whole

# Of 10,000 queries, those after which the area of a square is halved.
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
# The side of the smallest bump.
_LEAST = 3
_NOTHING = 1e-6


def square(task: Task, *, queries: int = 1000, p: float = 0.8) -> list[Tensor]:
    """Propose random squares of ever smaller area and keep those that raise the margin of the wrong classes.

    Where the squares are and which way they push is the same for every model. There are `queries` forward passes for
    each image and ε, at least 1, the paper's 5,000; the first squares cover a share `p` of the image, in (0, 1].
    """
    whole("queries", queries, 1)
    if number("p", p, 0, 1) == 0:
        raise ValueError("p must be above 0, got 0")
    # The first stripes, too, have to be better than the clean image.
    score = margin(task.clean.logits, task.labels, task.targets)
    return task.in_each_ball(lambda ball, standing: _search(ball, standing, queries, p), score)


def area(query: int, queries: int, p: float) -> float:
    """The share of the image that a square covers at this query: the paper's schedule, stretched to `queries`."""
    return p * 0.5 ** sum(query * 10_000 // queries > after for after in _HALVINGS)


def _search(ball: Ball, standing: Tensor, queries: int, p: float) -> Tensor:
    """Attack the images `standing` in one ball, which keeps the best; returns those that have not fallen."""
    task, clean, scale = ball.task, ball.task.images, ball.task.norm.scale
    generator = task.generator(1 + task.eps.index(ball.eps))
    proposals = PROPOSALS[task.norm.name](clean, ball.eps, scale, generator)
    # Perturbations are in units of ε, whatever these are in pixels.
    moved = torch.zeros_like(clean)
    for query in range(queries):
        if not len(standing):
            break
        tried = proposals.first() if query == 0 else proposals.next(moved, area(query - 1, queries, p))
        x = ball.inside(clean[standing] + tried[standing] * scale, standing)
        response = task.response(x, standing, margin, gradient=False)
        better = ball.keep(x, standing, response)
        moved[standing[better]] = (x[better] - clean[standing[better]]) / scale
        standing = standing[~response.fallen]
    return standing


class Proposals(ABC):
    """Random perturbations (N, C, H, W) of clean images, in units of ε, drawn alike for every model.

    `scale` is what one unit of perturbation is in pixels, to be broadcast over the images.
    """

    def __init__(self, images: Tensor, eps: float, scale: Tensor, generator: torch.Generator) -> None:
        self._images, self._eps, self._scale, self._generator = images, eps, scale, generator

    @abstractmethod
    def first(self) -> Tensor:
        """Where the search begins."""

    @abstractmethod
    def next(self, moved: Tensor, area: float) -> Tensor:
        """The perturbations `moved` with a square that covers the share `area` of the image changed."""

    def _signs(self, *shape: int) -> Tensor:
        """One sign for each image and channel, of shape (N, C, *shape)."""
        drawn = torch.randint(0, 2, (*self._images.shape[:2], *shape), generator=self._generator)
        return drawn.mul(2).sub(1).float()

    def _corner(self, side: int, least: int) -> tuple[int, int]:
        """Top and left of a square of this side somewhere in the image.

        None but those of the `least` side reach the last row or column. The authors' code draws so, where their paper
        draws from all places, and it finds more on digits, whose edges are empty. Theirs keeps the smallest from there
        too: no search can then push those values, which is much of a small image.
        """
        rooms = (size - side + 1 if side == least else size - side for size in self._images.shape[2:])
        top, left = (int(torch.randint(0, room, (), generator=self._generator)) for room in rooms)
        return top, left


class SquaresLinf(Proposals):
    """Squares whose every channel is pushed to +ε or -ε (Andriushchenko et al. 2020, algorithm 2).

    A square that would leave an image as it is, because it is pushed that way already or can't be pushed further, goes
    the other way, as in the authors' code: half of all queries would be lost on grey images.
    """

    def first(self) -> Tensor:
        """Vertical stripes."""
        height, width = self._images.shape[2:]
        return self._eps * self._signs(1, width).to(self._images.device).expand(-1, -1, height, -1)

    def next(self, moved: Tensor, area: float) -> Tensor:
        """See `Proposals.next`."""
        height, width = moved.shape[2:]
        side = max(min(round(math.sqrt(area * height * width)), height - 1, width - 1), 1)
        top, left = self._corner(side, least=1)
        here = (..., slice(top, top + side), slice(left, left + side))
        pushed = self._eps * self._signs(1, 1).to(moved.device)
        images = self._images[here]
        reached = (((images + pushed * self._scale).clamp(0, 1) - images) / self._scale - moved[here]).abs()
        idle = reached.amax((1, 2, 3), keepdim=True) < _NOTHING
        tried = moved.clone()
        tried[here] = pushed.where(~idle, -pushed)
        return tried


class SquaresL2(Proposals):
    """Bumps that take over the length of another square (Andriushchenko et al. 2020, algorithm 3).

    The images must be of at least 3×3 pixels.
    """

    def __init__(self, images: Tensor, eps: float, scale: Tensor, generator: torch.Generator) -> None:
        if min(images.shape[2:]) < _LEAST:
            raise ValueError(f"the square attack in L2 needs images of at least {_LEAST}×{_LEAST} pixels")
        super().__init__(images, eps, scale, generator)

    def first(self) -> Tensor:
        """A grid of bumps, five to a side."""
        height, width = self._images.shape[2:]
        side = max(min(height, width) // 5, 1)
        moved = torch.zeros(self._images.shape)
        for top in range((height % side) // 2, height - side + 1, side):
            for left in range((width % side) // 2, width - side + 1, side):
                signs = self._signs(1, 1)
                moved[:, :, top : top + side, left : left + side] = _bump(side, self._generator) * signs
        return self._eps * _unit(moved, (1, 2, 3)).to(self._images.device)

    def next(self, moved: Tensor, area: float) -> Tensor:
        """See `Proposals.next`."""
        channels, height, width = moved.shape[1:]
        side = _odd(math.sqrt(area * height * width), min(height, width))
        top, left = self._corner(side, _LEAST)
        from_top, from_left = self._corner(side, _LEAST)
        here = (..., slice(top, top + side), slice(left, left + side))
        there = (..., slice(from_top, from_top + side), slice(from_left, from_left + side))
        both = torch.zeros((height, width), dtype=torch.bool, device=moved.device)
        both[here[1:]], both[there[1:]] = True, True
        taken = (moved * both).square().sum((1, 2, 3), keepdim=True)
        unused = (self._eps**2 - moved.square().sum((1, 2, 3), keepdim=True)).clamp_min(0)
        bump = _bump(side, self._generator) * self._signs(1, 1)
        shape = _unit(bump.to(moved.device) + _unit(moved[here], (2, 3)), (2, 3))
        tried = moved.clone()
        tried[there] = 0
        tried[here] = shape * ((unused + taken) / channels).sqrt()
        return self._eps * _unit(tried, (1, 2, 3))


def _odd(wanted: float, size: int) -> int:
    """The side of a bump in an image of this size: odd, an even one made larger as in the authors' code."""
    side = max(round(wanted), _LEAST)
    side += side % 2 == 0
    largest = size - 1 - (size % 2)  # the largest odd one that leaves it somewhere to go
    return max(min(side, largest), _LEAST)


def _unit(moved: Tensor, dims: tuple[int, ...]) -> Tensor:
    return moved / moved.square().sum(dims, keepdim=True).sqrt().clamp_min(1e-12)


def _bump(side: int, generator: torch.Generator) -> Tensor:
    """A (side, side) perturbation of length 1: one hill over one valley, upright or lying."""
    if side == 1:
        return torch.ones(1, 1)
    half = side // 2
    both = torch.cat([_hill(half, side), -_hill(side - half, side)])
    both = both / both.square().sum().sqrt()
    return both if torch.rand((), generator=generator) < 0.5 else both.T


def _hill(height: int, width: int) -> Tensor:
    """Nested rectangles: the value at distance d (in squares) from the middle is the sum of 1/(k+1)² over k ≥ d."""
    rows, columns = torch.arange(height) - height // 2, torch.arange(width) - width // 2
    distance = torch.maximum(rows.abs()[:, None], columns.abs()[None, :])
    inverse = 1 / torch.arange(1, max(height, width) // 2 + 2).double() ** 2
    return inverse.flip(0).cumsum(0).flip(0)[distance].float()


PROPOSALS: dict[str, type[Proposals]] = {"linf": SquaresLinf, "l2": SquaresL2}

ATTACKS.add(Attack("square", (), "random squares, kept where the score falls; no gradient", square, loss="score"))
