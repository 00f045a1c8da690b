"""Modules that a layer can be put beside, with where their channels and samples are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import timm
import torch
import torchvision.models as zoo
from torch import Tensor, nn


@dataclass(frozen=True)
class Host:
    """A module, what it takes for (samples, steps, channels), and which dimensions of its output hold what."""

    make: Callable[[int], nn.Module]
    take: Callable[[int, int, int], tuple[Tensor, ...]]
    samples: int = 0
    channels: int = -1


def tokens(n: int, t: int, c: int) -> tuple[Tensor, ...]:
    return (torch.rand(n, t, c),)


def time_first(n: int, t: int, c: int) -> tuple[Tensor, ...]:
    return (torch.rand(t, n, c),)


def features(n: int, t: int, c: int) -> tuple[Tensor, ...]:
    return (torch.rand(n, c),)


def grids(n: int, t: int, c: int) -> tuple[Tensor, ...]:
    return (torch.rand(n, t, 3, c),)


def maps(dims: int) -> Callable[[int, int, int], tuple[Tensor, ...]]:
    return lambda n, t, c: (torch.rand(n, c, *[t] * dims),)


def words(n: int, t: int, c: int) -> tuple[Tensor, ...]:
    return (torch.arange(n * t).reshape(n, t) % 7,)


def twice(take: Callable[[int, int, int], tuple[Tensor, ...]]) -> Callable[[int, int, int], tuple[Tensor, ...]]:
    return lambda n, t, c: take(n, t, c) * 2


def thrice(take: Callable[[int, int, int], tuple[Tensor, ...]]) -> Callable[[int, int, int], tuple[Tensor, ...]]:
    return lambda n, t, c: take(n, t, c) * 3


def encoder_layer(c: int, **settings: Any) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(c, 2, 9, 0.0, **settings)


def decoder_layer(c: int, **settings: Any) -> nn.TransformerDecoderLayer:
    return nn.TransformerDecoderLayer(c, 2, 9, 0.0, **settings)


FIRST = {"batch_first": True}
HOSTS = {
    "Linear": Host(lambda c: nn.Linear(c, c), tokens),
    "Linear of (N, C)": Host(lambda c: nn.Linear(c, c), features),
    "Linear of (N, H, W, C)": Host(lambda c: nn.Linear(c, c), grids),
    "Bilinear": Host(lambda c: nn.Bilinear(c, c, c), twice(tokens)),
    "LayerNorm": Host(nn.LayerNorm, tokens),
    "RMSNorm": Host(nn.RMSNorm, tokens),
    "Embedding": Host(lambda c: nn.Embedding(7, c), words),
    "EmbeddingBag": Host(lambda c: nn.EmbeddingBag(7, c), words),
    **{
        f"{kind.__name__}{of}": Host(lambda c, kind=kind, s=settings: kind(c, c, **s), take, samples)
        for kind in (nn.RNN, nn.GRU, nn.LSTM)
        for of, settings, take, samples in [("", {}, time_first, 1), (" (N, T, C)", FIRST, tokens, 0)]
    },
    "GRU of both directions": Host(lambda c: nn.GRU(c, c, 2, bidirectional=True), time_first, 1),
    "GRUCell": Host(lambda c: nn.GRUCell(c, c), features),
    **{
        f"{kind}{of}": Host(lambda c, make=make, s=settings: make(c, s), several(take), samples)
        for kind, make, several in [
            ("MultiheadAttention", lambda c, s: nn.MultiheadAttention(c, 2, **s), thrice),
            ("TransformerEncoderLayer", lambda c, s: encoder_layer(c, **s), lambda take: take),
            ("TransformerDecoderLayer", lambda c, s: decoder_layer(c, **s), twice),
            (
                "TransformerEncoder",
                lambda c, s: nn.TransformerEncoder(encoder_layer(c, **s), 2, enable_nested_tensor=False),
                lambda take: take,
            ),
            ("TransformerDecoder", lambda c, s: nn.TransformerDecoder(decoder_layer(c, **s), 2), twice),
        ]
        for of, settings, take, samples in [("", {}, time_first, 1), (" (N, T, C)", FIRST, tokens, 0)]
    },
    "Transformer": Host(lambda c: nn.Transformer(c, 2, 1, 1, 9, 0.0, batch_first=True), twice(tokens)),
    "activation after Linear": Host(lambda c: nn.Sequential(nn.Linear(c, c), nn.Dropout(0.0), nn.ELU()), tokens),
    "activation before Linear": Host(lambda c: nn.Sequential(nn.ELU(), nn.Sequential(nn.Linear(c, c))), tokens),
    "block for tokens": Host(lambda c: Residual(nn.Linear(c, c), nn.LayerNorm(c)), tokens),
    "block for maps": Host(lambda c: Residual(nn.Conv2d(c, c, 1), nn.BatchNorm2d(c)), maps(2), 0, 1),
    "BasicBlock": Host(lambda c: zoo.resnet.BasicBlock(c, c), maps(2), 0, 1),
    "Bottleneck": Host(lambda c: zoo.resnet.Bottleneck(c, c // 4), maps(2), 0, 1),
    "Conv1d": Host(lambda c: nn.Conv1d(c, c, 3, padding=1), maps(1), 0, 1),
    "Conv2d": Host(lambda c: nn.Conv2d(c, c, 3, padding=1), maps(2), 0, 1),
    "Conv3d": Host(lambda c: nn.Conv3d(c, c, 1), maps(3), 0, 1),
    "ConvTranspose2d": Host(lambda c: nn.ConvTranspose2d(c, c, 2), maps(2), 0, 1),
    "BatchNorm1d": Host(nn.BatchNorm1d, maps(1), 0, 1),
    "BatchNorm2d": Host(nn.BatchNorm2d, maps(2), 0, 1),
    "InstanceNorm2d": Host(nn.InstanceNorm2d, maps(2), 0, 1),
    "GroupNorm": Host(lambda c: nn.GroupNorm(2, c), maps(2), 0, 1),
    "MaxPool2d": Host(lambda c: nn.MaxPool2d(2), maps(2), 0, 1),
    "AvgPool1d": Host(lambda c: nn.AvgPool1d(2), maps(1), 0, 1),
    "AdaptiveAvgPool2d": Host(lambda c: nn.AdaptiveAvgPool2d(2), maps(2), 0, 1),
    "Upsample": Host(lambda c: nn.Upsample(scale_factor=2), maps(2), 0, 1),
    "activation after a convolution": Host(lambda c: nn.Sequential(nn.Conv1d(c, c, 1), nn.SiLU()), maps(1), 0, 1),
    "LayerNorm2d of torchvision": Host(zoo.convnext.LayerNorm2d, maps(2), 0, 1),
    "LayerNorm2d of timm": Host(timm.layers.LayerNorm2d, maps(2), 0, 1),
    "LayerNorm of timm": Host(timm.layers.LayerNorm, tokens),
    "RmsNorm of timm": Host(timm.layers.RmsNorm, tokens),
    "Swin block": Host(
        lambda c: zoo.swin_transformer.SwinTransformerBlock(c, 2, [2, 2], [0, 0]),
        lambda n, t, c: (torch.rand(n, 4, 6, c),),
    ),
    "ViT block of timm": Host(lambda c: timm.models.vision_transformer.Block(c, 2), tokens),
}  # fmt: skip


class Residual(nn.Module):
    """A block with a forward of its own."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.layers:
            y = layer(y)
        return x + y


def first(output: Any) -> Tensor:
    return output[0] if isinstance(output, tuple) else output
