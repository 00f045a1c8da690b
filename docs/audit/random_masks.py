"""Masks whose inference draws numbers, depends on the batch, or on what was asked before."""

import copy

import torch
from masks import Mask
from torch import Tensor, nn
from torch.nn import functional as F

from dropover import Dropout, StochasticActivationPruning
from dropover.insertion import insert, regularizers


class DropoutKept(Mask):
    """A net trained with dropout whose dropout stays on at inference (Wang et al. 2018)."""

    def __init__(self, net: nn.Module, p: float = 0.3) -> None:
        super().__init__(copy.deepcopy(net))
        for layer in regularizers(self.net):
            assert isinstance(layer, Dropout)
            layer.eval_p = p


class Pruned(Mask):
    """Stochastic activation pruning before and after the linear layers that are hidden (Dhillon et al. 2018)."""

    def __init__(self, net: nn.Module, fraction: float = 1.0) -> None:
        super().__init__(copy.deepcopy(net))
        insert(self.net, {name: StochasticActivationPruning(fraction) for name in ("last-conv", "fc", "features")})


class Resized(Mask):
    """The image shrunk by up to two pixels and put at a random place (Xie et al. 2018)."""

    def before(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        full = x.shape[-1]
        side = int(torch.randint(full - 2, full + 1, ()))
        top, left = (int(torch.randint(0, full - side + 1, ())) for _ in range(2))
        small = F.interpolate(x, (side, side), mode="bilinear")
        return F.pad(small, (left, full - side - left, top, full - side - top))


class NoisyInput(Mask):
    """Gaussian noise on the pixels."""

    def __init__(self, net: nn.Module, spread: float = 0.1) -> None:
        super().__init__(net)
        self.spread = spread

    def before(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        return x + self.spread * torch.randn_like(x)


class NoisyLogits(Mask):
    """A random vector added to the logits."""

    def after(self, logits: Tensor) -> Tensor:
        """See `Mask`."""
        return logits + 2 * torch.randn_like(logits)


class OfTheBatch(Mask):
    """Logits normalised over the batch, as batch norm that was left in training mode does: company decides."""

    def after(self, logits: Tensor) -> Tensor:
        """See `Mask`."""
        if len(logits) < 2:
            return logits
        return (logits - logits.mean(0)) / (logits.std(0) + 1e-3)


class Alternating(Mask):
    """Two nets that answer by turns, of which a counter that stays in the model says whose turn it is."""

    def __init__(self, net: nn.Module, other: nn.Module) -> None:
        super().__init__(net)
        self.other = other
        self.register_buffer("turn", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        """See `Mask`."""
        self.turn += 1
        answers: Tensor = (self.net if self.turn % 2 else self.other)(x)
        return answers
