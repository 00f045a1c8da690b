"""DropBlock: the rate that is set is the rate that is had, and what is hit are blocks."""

import re

import pytest
import torch

import dropover
from dropover import functional

DRAWS = 200_000


def frequencies(layer, shape, channel_dim=1):
    """How often each element of one map of that shape is hit."""
    total, chunk = 0, 20_000
    for _ in range(DRAWS // chunk):
        y = layer(torch.ones(chunk, 1, *shape).movedim(1, channel_dim)).movedim(channel_dim, 1)
        total = total + (y == 0).sum(0, dtype=torch.float64)[0]
    return total / DRAWS


@pytest.mark.parametrize(
    ("shape", "size", "p"),
    [
        ((7, 7), 7, 0.1),  # a block as large as the map
        ((7, 7), 7, 0.02),
        ((7, 7), 7, 0.9),
        ((5, 6), 1, 0.3),
        ((6, 5), 2, 0.5),
        ((8, 4), 3, 0.25),
        ((9,), 4, 0.2),
        ((4, 3, 5), 3, 0.1),
    ],
)
def test_every_element_is_hit_with_the_rate_at_borders_too(shape, size, p, limit):
    layer = dropover.DropBlock(p, size, rescale="none")
    assert layer.rates(torch.ones(1, 1, *shape)).unique().tolist() == pytest.approx([p])
    found = frequencies(layer, shape)
    error = (p * (1 - p) / DRAWS) ** 0.5 * limit(found.numel())
    assert error < 0.008  # a rate that is off by 0.01 would fail
    assert (found - p).abs().max() <= error


def test_channels_last_and_rates_of_small_maps(limit):
    found = frequencies(dropover.DropBlock(0.3, 3, channel_dim=-1), (4, 5), channel_dim=-1)
    assert (found - 0.3).abs().max() <= (0.21 / DRAWS) ** 0.5 * limit(found.numel())


def test_neighbours_fall_together_as_often_as_blocks_overlap(limit):
    # Both survive if none of the blocks that cover either exists: 2 b² - overlap corners, each with rate γ.
    p, size, count = 0.3, 3, 100_000
    y = dropover.DropBlock(p, size)(torch.ones(count, 1, 5, 6))[:, 0]
    for apart in (1, 2, 3):
        overlap = max(size - apart, 0) * size
        expected = (1 - p) ** ((2 * size**2 - overlap) / size**2)
        both = ((y[:, 2, 0] != 0) & (y[:, 2, apart] != 0)).double().mean().item()
        assert abs(both - expected) <= (expected * (1 - expected) / count) ** 0.5 * limit(3)


def test_what_is_hit_is_a_union_of_blocks():
    size, y = 3, dropover.DropBlock(0.2, 3)(torch.ones(200, 2, 9, 8))
    hit = torch.nn.functional.pad((y == 0).float(), [size - 1] * 4, value=1.0)  # blocks may lie across the border
    whole = -torch.nn.functional.max_pool2d(-hit, size, 1)  # 1 where a whole block is hit
    covered = torch.nn.functional.max_pool2d(whole, size, 1)
    assert torch.equal(covered, (y == 0).float())


def test_channels_have_blocks_of_their_own_and_positions_share_them():
    x = torch.ones(8, 4, 6, 6)
    y = dropover.DropBlock(0.3, 2)(x)
    assert not torch.equal(y[:, 0] == 0, y[:, 1] == 0)
    shared = dropover.Regularizer("position", 0.3, "zero", draw=dropover.Blocks(2))(x)
    assert torch.equal(shared, shared[:, :1].expand_as(shared))
    assert (shared == 0).any()


def test_a_block_of_one_is_dropout_and_rate_1_leaves_nothing():
    x = torch.ones(2, 3, 8, 8)
    assert dropover.DropBlock(1.0, 7)(x).eq(0).all()
    assert dropover.DropBlock(0.0, 7)(x) is x
    assert dropover.DropBlock(1e-12, 7)(x).ne(0).all()


def test_errors():
    message = "block_size must be at most 4, the shortest side of a map (4, 6), got 7"
    for call in (dropover.DropBlock(), lambda x: functional.drop_block(x, 0.1)):
        with pytest.raises(ValueError, match=re.escape(message)):
            call(torch.ones(2, 3, 4, 6))
    with pytest.raises(ValueError, match=re.escape("blocks take maps (N, C, L), (N, C, H, W) or (N, C, D, H, W), got")):
        dropover.DropBlock()(torch.ones(2, 3))
    with pytest.raises(ValueError, match="block_size must be at least 1, got 0"):
        dropover.DropBlock(block_size=0)
    with pytest.raises(TypeError, match=r"block_size must be a whole number, got 2\.5"):
        dropover.DropBlock(block_size=2.5)
    with pytest.raises(TypeError, match=r"draw=Blocks\(size=2\) needs a constant rate, got rates=Magn"):
        dropover.Regularizer("element", dropover.MagnitudeRates(0.1, 0.2), "zero", draw=dropover.Blocks(2))
    with pytest.raises(TypeError, match=r"draw=Blocks\(size=2\) needs element or position units"):
        dropover.Regularizer("channel", 0.1, "zero", draw=dropover.Blocks(2))(torch.ones(2, 3, 4, 4))


def test_the_default_is_the_papers():
    assert repr(dropover.DropBlock()) == "DropBlock(p=0.1, block_size=7)"
    layer = dropover.DropBlock()
    layer.block_size = 3
    assert layer(torch.ones(2, 3, 4, 4)).shape == (2, 3, 4, 4)
