"""A small vision transformer (Dosovitskiy et al. 2021), every usual place of dropout in which is a position."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropover.lab.models import NETWORKS, Network
from dropover.lab.models.parts.normalize import Normalize
from dropover.validation import number, whole


class Embedding(nn.Module):
    """Patches as tokens: (N, channels, H, W) becomes (N, tokens, width), with a learned vector added for each place."""

    def __init__(self, channels: int, size: int, patch: int, width: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.place = nn.Parameter(0.02 * torch.randn(1, (size // patch) ** 2, width))

    def forward(self, x: Tensor) -> Tensor:
        """The tokens."""
        tokens: Tensor = self.patches(x).flatten(2).transpose(1, 2)
        return tokens + self.place


class Attention(nn.Module):
    """Self-attention of several heads.

    While `fused_attn` is true, torch's fused kernel computes it and the attention weights exist nowhere. `insert` sets
    it to false where a layer sits on them, at `attn_drop`: the names are those of timm, which it knows.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.fused_attn = True
        self.qkv = nn.Linear(width, 3 * width)
        self.attn_drop = nn.Identity()
        self.projection = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, tokens, width) in, the same shape out."""
        count, tokens, width = x.shape
        query, key, value = self.qkv(x).view(count, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused_attn:
            mixed = F.scaled_dot_product_attention(query, key, value)
        else:
            weights = (query * query.shape[-1] ** -0.5 @ key.transpose(-2, -1)).softmax(-1)
            mixed = self.attn_drop(weights) @ value
        projected: Tensor = self.projection(mixed.transpose(1, 2).reshape(count, tokens, width))
        return projected


class Block(nn.Module):
    """Attention, then an MLP with GELU, each on normalised tokens and added to what came in."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(hidden=nn.Linear(width, hidden), activation=nn.GELU(), output=nn.Linear(hidden, width))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Tokens (N, tokens, width) in, the same shape out."""
        x = x + self.attention(self.attention_norm(x))
        out: Tensor = x + self.mlp(self.mlp_norm(x))
        return out


class VisionTransformer(nn.Module):
    """Tokens through blocks; the logits come from the mean of the normalised tokens: there is no class token."""

    def __init__(self, embedding: Embedding, blocks: list[Block], width: int, classes: int) -> None:
        super().__init__()
        self.normalize = Normalize()
        self.embedding = embedding
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """The logits (N, classes) of images (N, channels, size, size) with pixels in [0, 1]."""
        tokens = self.norm(self.blocks(self.embedding(self.normalize(x))))
        logits: Tensor = self.head(tokens.mean(1))
        return logits


def vit_small(
    channels: int,
    size: int,
    classes: int,
    *,
    depth: int = 6,
    width: int = 512,
    heads: int = 4,
    patch: int = 4,
    mlp: float = 4.0,
) -> VisionTransformer:
    """A pre-norm vision transformer that averages its tokens; by default 6 blocks, width 512, 4 heads, patches of 4.

    Positions: "embeddings" on the tokens that enter the blocks; in every block "attention" on the attention weights,
    "projection" after the attention, "mlp-hidden" after the GELU and "mlp" after the MLP; "dropouts" on all of these,
    where a ViT usually has dropout; "fc" on the averaged features before the head.

    Args:
        channels: Channels of the images.
        size: Pixels a side, a multiple of `patch`.
        classes: How many classes.
        depth: How many blocks, at least 1.
        width: Features of a token, a multiple of `heads`.
        heads: Heads of each attention, at least 1.
        patch: Pixels a side of what becomes one token, at least 1.
        mlp: Width of the MLP's hidden layer, as a multiple of `width`; above 0, at most 16.

    Raises:
        ValueError: a setting out of range, or one that doesn't fit another or the images.
        TypeError: a setting of the wrong type.

    Source: Dosovitskiy et al. 2021; mean of the tokens as in Beyer, Zhai & Kolesnikov 2022.
    """
    whole("depth", depth, 1)
    if whole("width", width, 1) % whole("heads", heads, 1):
        raise ValueError(f"width must be a multiple of heads, got {width} and {heads}")
    if size % whole("patch", patch, 1):
        raise ValueError(f"patch must divide the {size} pixels of an image's side, got {patch}")
    hidden = round(width * number("mlp", mlp, 0, 16))
    if hidden < 1:
        raise ValueError(f"mlp must leave the MLP a hidden unit, got {mlp!r} times {width}")
    embedding = Embedding(channels, size, patch, width)
    return VisionTransformer(embedding, [Block(width, heads, hidden) for _ in range(depth)], width, classes)


_DROPOUTS = {
    "embeddings": "embedding",
    "attention": "blocks.*.attention.attn_drop",
    "projection": "blocks.*.attention.projection",
    "mlp-hidden": "blocks.*.mlp.activation",
    "mlp": "blocks.*.mlp",
}

NETWORKS.add(
    Network(
        "vit-small",
        ("vit",),
        "a vision transformer: 6 blocks, width 512, 4 heads, patches of 4 pixels; averages its tokens",
        vit_small,
        {**_DROPOUTS, "dropouts": tuple(_DROPOUTS.values()), "fc": "before head"},
    )
)
