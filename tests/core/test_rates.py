"""How often each unit is hit equals what `rates` says.

DRAWS are so many that a unit whose true rate is 0.01 (absolute) off lies nearly 9 standard errors away, while a right
one passes the limit less than once in a million runs, all units of a method taken together.
"""

import math

import pytest
import torch

import dropover
from dropover import functional
from dropover.parts.effects import Flip, Noise

DRAWS = 200_000
CHUNK = 20_000


def hit_units(layer, x, y):
    """One number per unit, True where it was hit; `x` is positive."""
    if isinstance(layer.effect, Flip):
        hit = y < 0
    elif isinstance(layer.effect, Noise):
        hit = y != x
    else:
        hit = y == 0
    if isinstance(layer.units, dropover.Channel) and x.ndim > 2:
        assert torch.equal(hit.flatten(2).any(2), hit.flatten(2).all(2))  # a unit is hit as one
        return hit.flatten(2).all(2)
    if isinstance(layer.units, dropover.Position):
        assert torch.equal(hit.any(1), hit.all(1))
        return hit.all(1)
    if isinstance(layer.units, dropover.Sample):
        assert torch.equal(hit.flatten(1).any(1), hit.flatten(1).all(1))
        return hit.flatten(1).all(1)
    return hit


def frequencies(layer, x, draws=DRAWS):
    """How often each unit of the one sample `x` (1, ...) is hit, in so many draws."""
    total = 0
    for _ in range(draws // CHUNK):
        batch = x.expand(CHUNK, *x.shape[1:]).contiguous()
        total = total + hit_units(layer, batch, layer(batch)).sum(0, dtype=torch.float64)
    return total / draws


def assert_agrees(found, rates, limit, draws=DRAWS):
    rates = rates.double()
    error = (rates * (1 - rates) / draws).sqrt() * limit(rates.numel())
    assert error.max() < 0.008  # else a rate that is 0.01 off could pass
    assert torch.all((found - rates).abs() <= error + 0.5 / 65536)  # and the resolution of a rate


def small_sample(method, seed=5):
    """One sample of few units, so that many draws are cheap."""
    shape = {"fdd1d": (1, 12), "crossmap": (1, 12, 2, 3), "guided": (1, 12, 2)}.get(method.name, (1, 12, 2, 2))
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) + 0.05


def test_hits_are_as_frequent_as_the_rates_say(method, acting, limit):
    if method.name in ("jumpout", "max-dropout", "spectral-dropout"):
        pytest.skip("one draw serves a whole call, or what is hit isn't seen in the output: it has tests of its own")
    x = small_sample(method)
    assert_agrees(frequencies(acting, x), acting.rates(x)[0], limit)


def test_a_rate_that_is_off_by_0_01_is_noticed(limit):
    found = frequencies(dropover.Dropout(0.31), torch.ones(1, 8))
    with pytest.raises(AssertionError):
        assert_agrees(found, torch.full((8,), 0.30), limit)


@pytest.mark.parametrize("units", ["element", "channel", "position", "sample"])
@pytest.mark.parametrize("effect", ["zero", "flip", "noise"])
def test_all_units_go_with_all_effects(units, effect, limit):
    layer = dropover.Regularizer(units, 0.2, effect, rescale="none")
    x = torch.ones(1, 3, 2, 2)
    assert_agrees(frequencies(layer, x), layer.rates(x)[0], limit)


@pytest.mark.parametrize("units", ["element", "channel", "position"])
@pytest.mark.parametrize(
    "rates", [dropover.MagnitudeRates(0.1, 0.6), dropover.DensityRates(1, 2), dropover.DensityRates(2, 2)]
)
def test_all_units_go_with_all_rates(units, rates, limit):
    layer = dropover.Regularizer(units, rates, "flip")
    x = torch.tensor([1.0, 1.2, 1.3, 1.5, 2.0, 9.0]).view(1, 6, 1, 1) * torch.tensor([[1.0, 1.1], [1.3, 4.0]])
    expected = layer.rates(x)[0]
    assert expected.unique().numel() > 1
    assert_agrees(frequencies(layer, x), expected, limit)


@pytest.mark.parametrize("p", [0.0, 0.003, 0.1, 0.5, 0.97, 1.0])
def test_constant_rates_over_their_range(p, limit):
    for layer in (dropover.Dropout(p), dropover.SpatialDropout(p), dropover.Dropout(0.5, eval_p=p).eval()):
        found = frequencies(layer, torch.ones(1, 7))
        assert_agrees(found, torch.full((7,), p), limit)
        if p in (0.0, 1.0):
            assert (found == p).all()


def test_rates_of_the_mode_that_a_layer_is_in():
    layer = dropover.Flipover(0.3, eval_p=0.1)
    assert layer.rates(torch.ones(3)).tolist() == pytest.approx([0.3] * 3)
    assert layer.eval().rates(torch.ones(3)).tolist() == pytest.approx([0.1] * 3)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_equals_torchs_in_distribution(p, limit, z_of_rate):
    x = torch.linspace(-2, 3, 50).repeat(4000, 1)
    ours, theirs = dropover.Dropout(p)(x), torch.nn.Dropout(p)(x)
    both = (ours != 0) & (theirs != 0)
    torch.testing.assert_close(ours[both], theirs[both])
    for y in (ours, theirs):
        assert abs(z_of_rate(y == 0, p)) < limit(2)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_spatial_dropout_equals_torchs_in_distribution(p, limit, z_of_rate):
    x = torch.rand(4000, 16, 2, 2) + 0.1
    ours, theirs = dropover.SpatialDropout(p)(x), torch.nn.Dropout2d(p)(x)
    both = (ours != 0) & (theirs != 0)
    torch.testing.assert_close(ours[both], theirs[both])
    for y in (ours, theirs):
        whole = (y == 0).flatten(2)
        assert torch.equal(whole.any(2), whole.all(2))
        assert abs(z_of_rate(whole.all(2), p)) < limit(2)


@pytest.mark.parametrize("std", [0.0, 0.5, 1.0])
def test_gaussian_factors_have_mean_1_and_their_deviation(std, limit):
    x = torch.full((1 << 20,), 2.0)
    factor = (functional.gaussian_dropout(x, std) / x).double()
    count = x.numel()
    assert abs(factor.mean().item() - 1) <= limit(2) * std / math.sqrt(count) + 1e-7
    assert abs(factor.var().item() - std**2) <= limit(2) * std**2 * math.sqrt(2 / count) + 1e-7


def test_gaussian_noise_is_independent_of_who_is_hit(limit):
    layer = dropover.GaussianDropout(1.0, eval_p=0.5).eval()
    factor = layer(torch.ones(1 << 20))
    noise = factor[factor != 1].double() - 1
    assert abs(noise.mean().item()) * math.sqrt(noise.numel()) < limit(4)
    assert abs(noise.var().item() - 1) / math.sqrt(2 / noise.numel()) < limit(4)
    # A mask takes two units from each hashed word: under one key, word i would be unit i's noise and 2i's mask.
    hit, half = factor != 1, len(factor) // 2
    for other in (hit[::2], hit[1::2]):
        sign = other[hit[:half]].double() * 2 - 1
        product = (factor[:half][hit[:half]].double() - 1) * sign
        assert abs(product.sum().item()) / math.sqrt(len(product)) < limit(4)
