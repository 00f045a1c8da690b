"""The perturbations that the Square attack proposes: coloured squares in L∞, Gaussian-like bumps in L2."""

import math
from typing import Protocol

import torch
from torch import Tensor


class Proposals(Protocol):
    """Random perturbations (N, C, H, W) of a batch, in units of ε, drawn alike for every model."""

    def first(self) -> Tensor:
        """Where the search begins."""

    def next(self, moved: Tensor, area: float) -> Tensor:
        """The perturbations `moved` with a square that covers the share `area` of the image changed."""


class SquaresLinf:
    """Squares whose every channel is pushed to +ε or -ε (Andriushchenko et al. 2020, algorithm 2).

    A square that would leave an image as it is, because it is pushed that way already or can't be pushed further, goes
    the other way, as in the authors' code: half of all queries would be lost on grey images.

    Args:
        images: The clean images, of shape (N, C, H, W).
        eps: The radius.
        scale: What one unit of perturbation is in pixels, to be broadcast over the images.
        generator: Where squares and signs come from.
    """

    def __init__(self, images: Tensor, eps: float, scale: Tensor, generator: torch.Generator) -> None:
        self._images, self._eps, self._scale, self._generator = images, eps, scale, generator

    def first(self) -> Tensor:
        """Vertical stripes."""
        count, channels, height, width = self._images.shape
        stripes = _signs((count, channels, 1, width), self._generator).to(self._images.device)
        return self._eps * stripes.expand(-1, -1, height, -1)

    def next(self, moved: Tensor, area: float) -> Tensor:
        """See `Proposals.next`."""
        count, channels, height, width = moved.shape
        side = max(min(round(math.sqrt(area * height * width)), height - 1, width - 1), 1)
        top, left = _corner(moved, side, 1, self._generator)
        signs = _signs((count, channels, 1, 1), self._generator)
        here = (..., slice(top, top + side), slice(left, left + side))
        pushed = self._eps * signs.to(moved.device)
        images = self._images[here]
        reached = (((images + pushed * self._scale).clamp(0, 1) - images) / self._scale - moved[here]).abs()
        idle = reached.amax((1, 2, 3), keepdim=True) < _NOTHING
        tried = moved.clone()
        tried[here] = pushed.where(~idle, -pushed)
        return tried


class SquaresL2:
    """Bumps that take over the length of another square (Andriushchenko et al. 2020, algorithm 3).

    Args:
        images: The clean images, of shape (N, C, H, W), of at least 3×3 pixels.
        eps: The radius.
        scale: Not read: lengths are in units of ε.
        generator: Where squares and signs come from.
    """

    def __init__(self, images: Tensor, eps: float, scale: Tensor, generator: torch.Generator) -> None:
        if min(images.shape[2:]) < _LEAST:
            raise ValueError(f"the square attack in L2 needs images of at least {_LEAST}×{_LEAST} pixels")
        self._images, self._eps, self._generator = images, eps, generator

    def first(self) -> Tensor:
        """A grid of bumps, five to a side."""
        count, channels, height, width = self._images.shape
        side = max(min(height, width) // 5, 1)
        moved = torch.zeros(self._images.shape)
        for top in range((height % side) // 2, height - side + 1, side):
            for left in range((width % side) // 2, width - side + 1, side):
                signs = _signs((count, channels, 1, 1), self._generator)
                moved[:, :, top : top + side, left : left + side] = _bump(side, self._generator) * signs
        return self._eps * _unit(moved, (1, 2, 3)).to(self._images.device)

    def next(self, moved: Tensor, area: float) -> Tensor:
        """See `Proposals.next`."""
        count, channels, height, width = moved.shape
        side = _odd(math.sqrt(area * height * width), min(height, width))
        top, left = _corner(moved, side, _LEAST, self._generator)
        from_top, from_left = _corner(moved, side, _LEAST, self._generator)
        here = (..., slice(top, top + side), slice(left, left + side))
        there = (..., slice(from_top, from_top + side), slice(from_left, from_left + side))
        both = torch.zeros((height, width), dtype=torch.bool, device=moved.device)
        both[here[1:]], both[there[1:]] = True, True
        taken = (moved * both).square().sum((1, 2, 3), keepdim=True)
        unused = (self._eps**2 - moved.square().sum((1, 2, 3), keepdim=True)).clamp_min(0)
        bump = _bump(side, self._generator) * _signs((count, channels, 1, 1), self._generator)
        shape = _unit(bump.to(moved.device) + _unit(moved[here], (2, 3)), (2, 3))
        tried = moved.clone()
        tried[there] = 0
        tried[here] = shape * ((unused + taken) / channels).sqrt()
        return self._eps * _unit(tried, (1, 2, 3))


_LEAST = 3
_NOTHING = 1e-6


def _signs(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, shape, generator=generator).mul(2).sub(1).float()


def _corner(images: Tensor, side: int, least: int, generator: torch.Generator) -> tuple[int, int]:
    """Top and left of a square of this side somewhere in the image.

    None but those of the `least` side reach the last row or column. The authors' code draws so, where their paper draws
    from all places, and it finds more on digits, whose edges are empty. Theirs keeps the smallest from there too: no
    search can then push those values, which is much of a small image.
    """
    rooms = (size - side + 1 if side == least else size - side for size in images.shape[2:])
    top, left = (int(torch.randint(0, room, (), generator=generator)) for room in rooms)
    return top, left


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
