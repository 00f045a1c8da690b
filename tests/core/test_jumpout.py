"""Jumpout: the rate of a call, its distribution, and what survivors are divided by."""

import re

import pytest
import torch

import dropover
from dropover.compute import masks

CALLS = 100_000


def rates_of_calls(rule, x, calls=CALLS):
    """The rates that so many keys draw."""
    keys = torch.randint(-(1 << 62), 1 << 62, (calls,))
    return torch.vmap(lambda key: rule.of_call(dropover.Element().on(x), key))(keys)


@pytest.mark.parametrize(
    ("p_min", "p_max", "sigma", "active"),
    [(0.01, 0.6, 0.1, 1.0), (0.1, 0.4, 0.3, 0.5), (0.05, 0.9, 0.4, 0.25), (0.2, 0.2, 0.5, 0.5), (0.3, 0.8, 0, 0.1)],
)
def test_the_expected_rate_agrees_with_many_calls(p_min, p_max, sigma, active, limit):
    x = torch.zeros(2, 100)
    x[:, : round(100 * active)] = 1
    layer = dropover.Jumpout(p_min, p_max, sigma)
    # The definition, by numbers that are not the rule's own.
    normal = torch.randn(2_000_000, dtype=torch.float64)
    reference = ((p_min + sigma * normal.abs()).clamp(max=p_max) / active).clamp(max=1)
    expected = layer.rates(x)
    assert expected.shape == x.shape
    for drawn in (reference, rates_of_calls(layer.rule, x)):
        error = limit(10) * drawn.std().item() / len(drawn) ** 0.5 + 1e-6
        assert error < 0.01
        assert abs(drawn.mean().item() - expected[0, 0].item()) <= error
    assert rates_of_calls(layer.rule, x, 1000).max() <= min(p_max / active, 1) + 1e-12


def test_units_are_hit_with_the_expected_rate(limit):
    calls, layer = 20_000, dropover.Jumpout(0.05, 0.4, 0.2, rescale="none")
    x = torch.tensor([[1.0] * 60 + [0.0] * 40])
    share = (torch.vmap(layer, randomness="different")(x.expand(calls, 1, 100))[:, 0, :60] == 0).double().mean(1)
    error = limit(1) * share.std().item() / calls**0.5
    assert error < 0.008  # a rate that is off by 0.01 would fail
    assert abs(share.mean().item() - layer.rates(x)[0, 0].item()) <= error + 1e-5


def test_survivors_are_divided_by_the_rate_of_the_call(z_of_rate, limit):
    x = torch.ones(1000, 1000)
    x[:, 700:] = 0
    for rescale, power in (("balanced", 0.75), ("mean", 1), ("layer", 1), ("none", 0)):
        layer = dropover.Jumpout(0.1, 0.5, 0.2, rescale=rescale)
        torch.manual_seed(4)
        p = layer.rule.of_call(layer.units.on(x), masks.draw_key(x.device)).item()
        torch.manual_seed(4)
        y = layer(x)[:, :700]
        assert abs(z_of_rate(y == 0, round(p * 65536) / 65536)) < limit(4)
        torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], (1 - p) ** -power))


def test_calls_differ_in_their_rates():
    x = torch.ones(100, 100)
    shares = [(dropover.Jumpout(sigma=0.3)(x) == 0).float().mean().item() for _ in range(20)]
    assert max(shares) - min(shares) > 0.1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_inputs_of_zeros_and_almost_none_active(dtype):
    x = torch.zeros(4, 500, dtype=dtype)
    assert torch.equal(dropover.Jumpout()(x), x)
    assert dropover.Jumpout(0.5, 0.5).rates(x).unique().tolist() == [0.5]
    x[0, 0] = 1
    assert dropover.Jumpout()(x).eq(0).all()  # the rate is cut at 1
    assert dropover.Jumpout().rates(x).eq(1).all()


def test_balanced_lies_between_mean_and_none_for_every_method():
    x = torch.ones(50)
    torch.testing.assert_close(dropover.Dropout(0.5, rescale="balanced")(x).max().item(), 0.5**-0.75)
    y = dropover.Flipover(0.75, rescale="balanced")(x)  # expectation -1/2: the sign turns as with "mean"
    torch.testing.assert_close(y.abs(), torch.full_like(y, 0.5**-0.75))
    torch.manual_seed(1)
    mean = dropover.BiasedDropout()(x)
    torch.manual_seed(1)
    balanced = dropover.BiasedDropout(rescale="balanced")(x)
    torch.testing.assert_close(balanced, mean.pow(0.75))
    with pytest.raises(ValueError, match=r"rescale='balanced' divides by .* 0 at p = 0\.5"):
        dropover.Flipover(0.5, rescale="balanced")


def test_errors():
    with pytest.raises(ValueError, match=re.escape("p_min must be at most p_max, got p_min=0.5 and p_max=0.2")):
        dropover.Jumpout(0.5, 0.2)
    with pytest.raises(ValueError, match="sigma must be a finite number of at least 0, got -1"):
        dropover.Jumpout(sigma=-1)
    for name in ("p_min", "p_max"):
        with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1\], got 2"):
            dropover.Jumpout(**{name: 2})
