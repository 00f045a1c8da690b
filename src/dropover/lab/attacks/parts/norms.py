"""The balls that attacks stay in: for each norm its steepest step, its projection and a random point."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor


class Norm(ABC):
    """Lengths of a perturbation, each image's own; all the rest of an attack is the same for every norm.

    `scale` is what one unit of length is in pixels, of shape (C, 1, 1) or (1, 1, 1): ones where ε is in pixels, the
    standard deviations where it is in units of a normalised input.
    """

    name: str

    def __init__(self, scale: Tensor) -> None:
        self.scale = scale

    @abstractmethod
    def length(self, moved: Tensor) -> Tensor:
        """The length of each perturbation, of shape (N,), from perturbations (N, C, H, W) in pixels."""

    @abstractmethod
    def uphill(self, gradient: Tensor) -> Tensor:
        """The perturbation of length 1, in pixels, that raises a loss of this gradient the most."""

    @abstractmethod
    def project(self, moved: Tensor, eps: float) -> Tensor:
        """The nearest perturbation no longer than `eps`."""

    @abstractmethod
    def uniform(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """For each image a random perturbation, uniform in the ball of radius 1, in pixels."""


class _Linf(Norm):
    """The largest change of any value."""

    name = "linf"

    def length(self, moved: Tensor) -> Tensor:
        return (moved / self.scale).abs().flatten(1).amax(1)

    def uphill(self, gradient: Tensor) -> Tensor:
        return gradient.sign() * self.scale

    def project(self, moved: Tensor, eps: float) -> Tensor:
        reach = eps * self.scale
        return torch.clamp(moved, -reach, reach)

    def uniform(self, like: Tensor, generator: torch.Generator) -> Tensor:
        return (2 * torch.rand(like.shape, generator=generator) - 1).to(like.device) * self.scale


class _L2(Norm):
    """The Euclidean length over all values of an image."""

    name = "l2"

    def length(self, moved: Tensor) -> Tensor:
        return _norm(moved / self.scale)

    def uphill(self, gradient: Tensor) -> Tensor:
        slope = gradient * self.scale
        # Divided by the largest first: where logits are large a gradient is so small that its square is 0 in float32.
        slope = slope / _spread(slope.abs().flatten(1).amax(1)).clamp_min(torch.finfo(slope.dtype).tiny)
        return slope / _spread(_norm(slope)).clamp_min(1e-12) * self.scale

    def project(self, moved: Tensor, eps: float) -> Tensor:
        return moved * (eps / _spread(self.length(moved)).clamp_min(1e-12)).clamp_max(1)

    def uniform(self, like: Tensor, generator: torch.Generator) -> Tensor:
        way = torch.randn(like.shape, generator=generator)
        radius = torch.rand(len(like), generator=generator) ** (1 / like[0].numel())
        return (way / _spread(_norm(way)) * _spread(radius)).to(like.device) * self.scale


def _norm(moved: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(moved.flatten(1), dim=1)
    return lengths


def _spread(per_image: Tensor) -> Tensor:
    return per_image[:, None, None, None]


NORMS: dict[str, type[Norm]] = {norm.name: norm for norm in (_Linf, _L2)}
