"""DropConnect: the weights of a layer instead of its inputs (Wan et al. 2013)."""

import torch
from torch import Generator, Tensor, nn
from torch.fx import Proxy

from dropover import tracing
from dropover.methods import METHODS, Card, Method, Range
from dropover.methods.dropout import Dropout, dropout
from dropover.parts.schedules import Rate

Host = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d

CARD = Card(
    title="DropConnect",
    summary="Zeroes each weight of a linear or convolution layer with the same probability, anew in every call.",
    formula="y = (M ∘ W) x + b; M = 0 with probability p, else 1 / (1 - p)",
    acts="in training; at inference with the rate eval_p, 0 by default",
    sources={
        "Wan, Zeiler, Zhang, LeCun, Fergus 2013: Regularization of neural networks using DropConnect. "
        "ICML, PMLR 28": "https://proceedings.mlr.press/v28/wan13.html",
    },
    settings_in_paper="p = 0.5, in the fully connected layers",
    caveats=(
        "One mask serves all samples of a call; in the source every sample draws its own, which a plain matrix product "
        "can't do.",
        "Only the weights are masked; the source masks the biases too.",
        "At inference the weights are whole, which gives the mean of the layer's output; the source draws the output "
        "from a normal distribution of matching moments.",
    ),
    ranges={"p": Range(0.05, 0.7)},
)


def drop_connect(
    x: Tensor,
    host: Host,
    p: float = 0.5,
    *,
    training: bool = True,
    rescale: str = "mean",
    generator: Generator | None = None,
) -> Tensor:
    """Call a linear or convolution layer with each of its weights zeroed with probability `p`.

    Args:
        x: an input of the layer.
        host: the layer; its bias is left alone. `TypeError` if it has no weights of its own.
        p: rate in [0, 1].
        training: False calls the layer as it is.
        rescale: "mean" divides the surviving weights by 1 - p; "layer" is the same here; see `Regularizer`.

    Returns:
        The layer's output.

    Source: Wan et al. 2013, section 3.
    """
    weight = dropout(_weight(host), p, training=training, rescale=rescale, generator=generator)
    return _call(host, weight, x)


class DropConnect(nn.Module):
    """See `drop_connect`, and `Dropout` for `eval_p`: a layer and the `Dropout` that its weights pass, `dropping`.

    The host's parameters keep their names behind "host.".

    Example:
        >>> layer = DropConnect(nn.Linear(512, 10), p=0.5)
    """

    draws_once = True  # all samples of a call meet the same weights

    def __init__(self, host: Host, p: Rate = 0.5, eval_p: Rate = 0.0, *, rescale: str = "mean") -> None:
        super().__init__()
        _weight(host)
        self.host = host
        self.dropping = Dropout(p, eval_p, rescale=rescale)

    def forward(self, x: Tensor) -> Tensor:
        """The host's output, with weights dropped in training."""
        if isinstance(x, Proxy):
            return tracing.record_layer(self, x)
        return _call(self.host, self.dropping(_weight(self.host)), x)

    def __repr__(self) -> str:
        return f"DropConnect({self.host!r}, {self.dropping.extra_repr()})"


def _weight(host: Host) -> Tensor:
    # A tuple: the compiler of torch 2.6 can't read a union of types.
    fits = isinstance(host, (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d))
    weight = host._parameters.get("weight") if fits else None
    if weight is None:
        raise TypeError(
            "host must be a torch.nn.Linear, Conv1d, Conv2d or Conv3d whose weight is a parameter of its own, "
            f"got {host!r}"
        )
    return weight


def _call(host: Host, weight: Tensor, x: Tensor) -> Tensor:
    result: Tensor = torch.func.functional_call(host, {"weight": weight}, (x,))
    return result


METHODS.add(Method("drop-connect", drop_connect, DropConnect, "weights", CARD))
