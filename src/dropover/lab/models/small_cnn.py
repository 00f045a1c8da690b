"""The small CNN of Papernot et al. (2016) and Carlini & Wagner (2017)."""

import math
from collections import OrderedDict

from torch import nn

from dropover.lab.models import NETWORKS, Network
from dropover.lab.models.parts.normalize import Normalize
from dropover.validation import number


def small_cnn(channels: int, size: int, classes: int, *, width: float = 1.0, batch_norm: bool = False) -> nn.Sequential:
    """Conv 32, conv 32, pool, conv 64, conv 64, pool, FC 200, FC 200, classes; 3×3 without padding, ReLU.

    Positions: "conv1", "conv2", "conv3" after the ReLU of a convolution, "conv2" after its pool too; "last-conv" after
    the last convolution's ReLU, before the last pool; "fc" after the first FC's ReLU, between the two FC layers (where
    the Flipover article puts its method); "features" before the last linear layer.

    Args:
        channels: Channels of the images.
        size: Pixels a side, at least 16.
        classes: How many classes.
        width: Factor on the number of maps and of FC units, above 0, at most 8.
        batch_norm: Whether every convolution and every hidden FC layer is followed by batch norm (before the ReLU).

    Raises:
        ValueError: the images are too small, or `width` is out of range.
        TypeError: a setting has the wrong type.
    """
    if number("width", width, 0, 8) == 0:
        raise ValueError("width must be above 0, got 0")
    if not isinstance(batch_norm, bool):
        raise TypeError(f"batch_norm must be true or false, got {batch_norm!r}")
    side = ((size - 4) // 2 - 4) // 2
    if side < 1:
        raise ValueError(f"small-cnn needs images of at least 16 pixels a side, got {size}")
    first, second, hidden = (math.ceil(count * width) for count in (32, 64, 200))
    layers: list[nn.Module | str] = [
        Normalize(),
        *_conv(channels, first, batch_norm),
        "conv1",
        *_pooled_conv(first, first, batch_norm),
        "conv2",
        *_conv(first, second, batch_norm),
        "conv3",
        *_conv(second, second, batch_norm),
        "last-conv",
        nn.MaxPool2d(2),
        nn.Flatten(),
        *_linear(second * side * side, hidden, batch_norm),
        "fc",
        *_linear(hidden, hidden, batch_norm),
        "features",
        nn.Linear(hidden, classes),
    ]
    # The layers' numbers depend on `batch_norm`, so the positions are modules by name: empty ones, which cost nothing.
    named = [(each, nn.Identity()) if isinstance(each, str) else (str(i), each) for i, each in enumerate(layers)]
    net = nn.Sequential(OrderedDict(named))
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            # torch's own default draws weights too small for six ReLU layers: the first epochs are lost.
            # No ReLU follows the last layer: with the ReLU's gain its first logits are too large.
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear" if module is net[-1] else "relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net


def _conv(inputs: int, outputs: int, batch_norm: bool) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, bias=not batch_norm)
    return [conv, *([nn.BatchNorm2d(outputs)] if batch_norm else []), nn.ReLU()]


def _pooled_conv(inputs: int, outputs: int, batch_norm: bool) -> list[nn.Module]:
    """Convolution, pool, ReLU: the same figures and gradients as ReLU before the pool, for a quarter of the ReLUs.

    ReLU never changes which of a window's pixels is the largest, unless none is positive, and then no gradient passes.
    On the largest maps of the net that is a twentieth of the training time.
    """
    *layers, relu = _conv(inputs, outputs, batch_norm)
    return [*layers, nn.MaxPool2d(2), relu]


def _linear(inputs: int, outputs: int, batch_norm: bool) -> list[nn.Module]:
    linear = nn.Linear(inputs, outputs, bias=not batch_norm)
    return [linear, *([nn.BatchNorm1d(outputs)] if batch_norm else []), nn.ReLU()]


NETWORKS.add(
    Network(
        "small-cnn",
        ("smallcnn",),
        "four convolutions and two hidden FC layers, for small images",
        small_cnn,
        {place: place for place in ("conv1", "conv2", "conv3", "last-conv", "fc", "features")},
    )
)
