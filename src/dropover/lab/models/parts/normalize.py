"""The first layer of every network, so that attacks and noise speak pixels."""

from torch import Tensor, nn


class Normalize(nn.Module):
    """Pixels in [0, 1] become (x - 0.5) / 0.5, in [-1, 1].

    One fixed pair for every data set: no statistic of the data is needed.
    """

    def forward(self, x: Tensor) -> Tensor:
        """The normalised images, of the same shape."""
        return x * 2 - 1
