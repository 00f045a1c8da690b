"""A key becomes a mask: rates, independence, golden values."""

import itertools
import math

import pytest
import torch

from dropover.compute import masks

CPU = torch.device("cpu")


def hits(key, p, count):
    return masks.margins(key, p, (count,)) < 0


def lanes_of(key, shape):
    """The numbers that margins are, less the border at a rate of 1/2."""
    return masks.margins(key, 0.5, shape) - 0.5


def signs(key, count, p=0.5):
    """Hits as numbers of mean 0 and variance 1."""
    return (hits(key, p, count).double() - p) / math.sqrt(p * (1 - p))


def z_of_product(*factors):
    product = math.prod(factors)
    return product.sum().item() / math.sqrt(product.numel())


def lowbias32(key, index):
    """The hash in unsigned Python integers, as its author gives it, with the key where `masks` puts it."""
    full = (1 << 32) - 1
    high = key >> 32 & full
    word = ((key ^ high) + index * 0x9E3779B9) & full
    word ^= word >> 16
    word = (word * 0x7FEB352D + high) & full
    word ^= word >> 15
    word = word * 0x846CA68B & full
    word ^= word >> 16
    return word - (1 << 32) if word >> 31 else word


def test_golden_values():
    key = torch.tensor(0x0123456789ABCDEF)
    assert masks.words(key, 4).tolist() == [-1578786370, 1632907602, 2109072950, -571970754]
    assert lanes_of(key, (2, 3)).tolist() == [[-24130, -24091, 12626], [24916, -6602, 32181]]


@pytest.mark.parametrize("key", [0, 1, -1, 0x0123456789ABCDEF, -(1 << 63), (1 << 63) - 1])
def test_words_are_the_published_hash(key):
    words = masks.words(torch.tensor(key), 3000)
    assert words.tolist() == [lowbias32(key, index) for index in range(3000)]


def test_a_word_depends_on_key_and_index_alone():
    key = torch.tensor(7)
    longest = masks.words(key, 5000)
    for count in (1, 2, 1023, 1024, 1025, 2048, 4999):
        assert torch.equal(masks.words(key, count), longest[:count])


def test_a_batch_of_keys_gets_the_lanes_of_each():
    keys = torch.tensor([0, 7, 0x0123456789ABCDEF, -1])
    together = torch.vmap(lambda key: lanes_of(key, (3, 5)))(keys)
    assert torch.equal(together, torch.stack([lanes_of(key, (3, 5)) for key in keys]))


def test_words_do_not_repeat():
    for seed in range(4):
        words = masks.words(masks.draw_key(CPU, torch.Generator().manual_seed(seed)), 1 << 20)
        assert words.unique().numel() == words.numel()  # a bijection of a counter


def test_threads_change_nothing():
    key = masks.draw_key(CPU)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = masks.margins(key, 0.3, (513, 1025))
        torch.set_num_threads(4)
        assert torch.equal(masks.margins(key, 0.3, (513, 1025)), one)
    finally:
        torch.set_num_threads(before)


def test_rates_0_and_1_are_exact():
    key = masks.draw_key(CPU)
    assert not hits(key, 0.0, 1 << 20).any()
    assert hits(key, 1.0, 1 << 20).all()
    ends = torch.tensor([0.0, 1.0]).repeat(1 << 18)
    assert torch.equal(hits(key, ends, 1 << 19), ends == 1)


def test_margins_are_never_0_and_keep_their_sign_in_half_precision():
    key = masks.draw_key(CPU)
    for p in (0.0, 2**-16, 0.3, 0.5, 1 - 2**-16, 1.0):
        margins = masks.margins(key, p, (1 << 18,))
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            assert torch.equal(margins.to(dtype) < 0, margins < 0)
            assert (margins.to(dtype) != 0).all()


def test_a_rate_has_a_resolution_of_2_to_the_minus_16(limit):
    count = 1 << 22
    lanes = torch.cat([lanes_of(masks.draw_key(CPU), (count,)) for _ in range(2)])
    for steps in (1, 2, 3):
        p = steps / masks.LEVELS
        found = (lanes < steps - masks.LEVELS / 2).sum().item()
        assert abs(found - lanes.numel() * p) < limit(3) * math.sqrt(lanes.numel() * p)
    key = masks.draw_key(CPU)
    assert ((masks.margins(key, 0.0, (9,)) - masks.margins(key, 2**-16, (9,))) == 1).all()


def test_lanes_are_uniform(limit):
    counts = torch.zeros(256, dtype=torch.float64)
    for _ in range(8):
        lanes = lanes_of(masks.draw_key(CPU), (1 << 19,)).long() + masks.LEVELS // 2
        counts += torch.bincount(lanes >> 8, minlength=256)
        counts += torch.bincount(lanes & 255, minlength=256)  # the low bits too
    expected = counts.sum() / 256
    chi_square = ((counts - expected) ** 2 / expected).sum().item()
    assert abs(chi_square - 255) < limit(1) * math.sqrt(2 * 255) * 1.3  # heavier tail than the normal's


@pytest.mark.parametrize("p", [0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("count", [8, 1000])
def test_hits_of_many_keys_spread_as_independent_ones(p, count, limit, z_of_rate):
    keys = 3000
    z = torch.tensor([z_of_rate(hits(masks.draw_key(CPU), p, count), p) for _ in range(keys)])
    assert abs(z.sum().item()) / math.sqrt(keys) < limit(16)
    excess = (1 - 6 * p * (1 - p)) / (count * p * (1 - p))
    assert abs(z.square().sum().item() - keys) / math.sqrt(keys * (2 + excess)) < limit(16)


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_units_at_any_distance_are_independent(p, limit):
    count, keys = 1 << 18, 8
    # 1: two lanes of a word, or neighbours; 2048: one row of the word grid; the powers of two: bits of the counter.
    lags = [1, 2, 3, 7, 32, 512, 1023, 1024, 1025, 2047, 2048, 2049, 4096, 65536]
    total = dict.fromkeys(lags, 0.0)
    for _ in range(keys):
        unit = signs(masks.draw_key(CPU), count, p)
        for lag in lags:
            total[lag] += z_of_product(unit[:-lag], unit[lag:])
    for lag in lags:
        assert abs(total[lag]) / math.sqrt(keys) < limit(len(lags)), lag


def test_the_two_lanes_of_a_word_are_independent(limit):
    total = 0.0
    for _ in range(16):
        even, odd = signs(masks.draw_key(CPU), 1 << 18).view(-1, 2).unbind(1)
        total += z_of_product(even, odd)
    assert abs(total) / 4 < limit(1)


@pytest.mark.parametrize("width", [16, 512, 1024, 2048])
def test_corners_of_rectangles_are_independent(width, limit):
    total, keys = 0.0, 8
    for _ in range(keys):
        grid = signs(masks.draw_key(CPU), 1 << 18).view(-1, width)
        total += z_of_product(grid[:-1, :-1], grid[1:, :-1], grid[:-1, 1:], grid[1:, 1:])
    assert abs(total) / math.sqrt(keys) < limit(4)


@pytest.mark.parametrize("bit", range(64))
def test_keys_that_differ_by_one_bit_give_independent_masks(bit, limit):
    # Each pair by itself: correlations of both signs must not cancel.
    flipped = torch.tensor(-(1 << 63) if bit == 63 else 1 << bit)
    for _ in range(8):
        key = masks.draw_key(CPU)
        z = z_of_product(signs(key, 1 << 14), signs(key ^ flipped, 1 << 14))
        assert abs(z) < limit(64 * 8)


def test_calls_are_independent(limit):
    calls = [signs(masks.draw_key(CPU), 1 << 16) for _ in range(12)]
    pairs = list(itertools.combinations(calls, 2))
    assert max(abs(z_of_product(one, other)) for one, other in pairs) < limit(len(pairs))


def test_consecutive_seeds_give_independent_masks(limit):
    keys = [masks.draw_key(CPU, torch.Generator().manual_seed(seed)) for seed in range(16)]
    calls = [signs(key, 1 << 15) for key in keys]
    pairs = list(itertools.combinations(calls, 2))
    assert max(abs(z_of_product(one, other)) for one, other in pairs) < limit(len(pairs))


def test_uniforms_stay_inside_and_are_uniform(limit):
    uniforms = masks.uniforms(masks.draw_key(CPU), (1 << 20,))
    assert uniforms.dtype == torch.float64
    assert 0 < uniforms.min() < 1e-4
    assert 1 - 1e-4 < uniforms.max() < 1
    assert abs(uniforms.mean().item() - 0.5) * math.sqrt(12 * uniforms.numel()) < limit(2)
    assert abs((uniforms**2).mean().item() - 1 / 3) / math.sqrt(4 / 45 / uniforms.numel()) < limit(2)


def test_normals_have_the_moments_of_a_standard_normal(limit):
    count = 1 << 20
    normals = masks.normals(masks.draw_key(CPU), (count,)).double()
    assert normals.isfinite().all()
    # Variances of z, z², z³, z⁴ under the normal distribution are 1, 2, 15, 96.
    for power, (mean, variance) in enumerate([(0, 1), (1, 2), (0, 15), (3, 96)], start=1):
        assert abs((normals**power).mean().item() - mean) / math.sqrt(variance / count) < limit(4), power
