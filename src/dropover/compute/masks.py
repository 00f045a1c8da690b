"""A random key becomes a mask.

One 64-bit key is drawn per call from the generator that PyTorch itself would use, and a counter-based integer hash
expands it. There is no other state: the same key always gives the same mask, whatever the number of threads, so a
backward pass can compute the mask again where it would otherwise have to keep it, and whatever restores PyTorch's
generator (checkpointing, `fork_rng`) restores the mask.
"""

import math

import torch
from torch import Tensor

from dropover.compute import kernels
from dropover.compute.hash import FIRST, SECOND, STEP

LEVELS = 1 << 16  # a rate has a resolution of 1 / LEVELS
_HALF = LEVELS // 2
COLUMNS = 1024  # the counter is made as rows and columns of this length, which costs one addition a word


def draw_key(device: torch.device, generator: torch.Generator | None = None) -> Tensor:
    """A fresh key: a 0-dimensional int64 tensor on `device`, from `generator` or the device's default one."""
    return torch.randint(-(1 << 63), (1 << 63) - 1, (), dtype=torch.int64, device=device, generator=generator)


def wrapped(value: int) -> int:
    """`value` modulo 2³², as the signed 32-bit number that torch takes."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def halves(key: Tensor) -> tuple[Tensor, Tensor]:
    """The two 32-bit numbers that a key enters the hash as.

    One multiplication is too few to separate keys that differ in their high half only, so it enters the low one too.
    """
    upper = key >> 32
    return (key ^ upper).to(torch.int32), upper.to(torch.int32)


def words(key: Tensor, count: int) -> Tensor:
    """`count` hashed 32-bit words, shape (count,), int32, every value equally likely.

    Word i depends on the key and on i alone. The shifts are masked because torch's shift of a signed number keeps
    its sign, and the hash is a bijection only under the unsigned one.
    """
    low, high = halves(key)
    rows = torch.arange(-(-count // COLUMNS), dtype=torch.int32, device=key.device) * wrapped(COLUMNS * STEP)
    columns = torch.arange(min(COLUMNS, count), dtype=torch.int32, device=key.device) * STEP
    word = (rows + low).unsqueeze(1) + columns
    word.bitwise_xor_((word >> 16).bitwise_and_(0xFFFF))
    word = torch.add(high, word, alpha=FIRST)
    word.bitwise_xor_((word >> 15).bitwise_and_(0x1FFFF)).mul_(SECOND)
    word.bitwise_xor_((word >> 16).bitwise_and_(0xFFFF))
    return word.view(-1)[:count]


def _pairs(word: Tensor) -> Tensor:
    """The two signed 16-bit halves of each word, the low one first."""
    # Before torch 2.13 vmap knew no view of another dtype. A compiler that traces this must not ask for vmap.
    if torch.compiler.is_compiling() or not torch._C._are_functorch_transforms_active():
        return word.view(torch.int16)
    return torch.stack((word << 16 >> 16, word >> 16), dim=1).view(-1)


def margins(key: Tensor, p: float | Tensor, shape: tuple[int, ...]) -> Tensor:
    """Float32 numbers of the given shape: negative, each with its probability p, where a unit is hit; never 0.

    They are "lanes", independent whole numbers uniform over [-LEVELS/2, LEVELS/2), minus the border between those that
    are hit and others, which is exact at 0 and 1. Each hashed word serves two of them: 16 bits are as fine as a rate
    needs, and the hash is what costs.
    """
    count, less = math.prod(shape), 0.0 if isinstance(p, Tensor) else round(p * LEVELS) - (_HALF + 0.5)
    if compiled := kernels.serving("selecting", key):
        result = torch.empty(shape, dtype=torch.float32, device="cpu")
        compiled.lanes(count, result.data_ptr(), count, int(key), less)
    else:
        result = _pairs(words(key, -(-count // 2)))[:count].to(torch.float32).view(shape).sub_(less)
    return result - (torch.round(p.to(torch.float32) * LEVELS) - (_HALF + 0.5)) if isinstance(p, Tensor) else result


def seldom(key: Tensor, p: float, shape: tuple[int, ...]) -> Tensor:
    """True with probability `p`, above 0, at a resolution of 2⁻³²: for rates that 16 bits are too coarse for."""
    last = max(round(p * 2.0**32), 1) - (1 << 31) - 1
    return (words(key, torch.Size(shape).numel()) <= last).view(shape)


def uniforms(key: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Float64 numbers in the open interval (0, 1), of the given shape, with a resolution of 2⁻³²."""
    count = torch.Size(shape).numel()
    return words(key, count).to(torch.float64).add_(0.5 + (1 << 31)).mul_(2.0**-32).view(shape)


def normals(key: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Standard normal float32 numbers of the given shape, by the inverse of the distribution function."""
    count = torch.Size(shape).numel()
    # 24 bits and a half fit float32 exactly and stay clear of -1 and 1, where the inverse is infinite.
    centred = (words(key, count) >> 8).to(torch.float32).add_(0.5).mul_(2.0**-23)
    return torch.erfinv(centred).mul_(2.0**0.5).view(shape)
