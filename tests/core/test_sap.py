"""Stochastic activation pruning: who survives, and that the output is unbiased."""

import math

import pytest
import torch

import dropover
from dropover.parts import rescaling
from dropover.parts.effects import Zero
from dropover.parts.units import Element

H = torch.tensor([0.0, 0.01, -0.1, 0.5, -1.0, 2.0, 3.0, -0.02])


def survival(h, draws):
    q = h.double().abs() / h.double().abs().sum()
    return 1 - (1 - q) ** draws


@pytest.mark.parametrize(("fraction", "draws"), [(1.0, 8), (0.5, 4), (0.3, 3), (0.01, 1), (2.5, 20)])
def test_survivors_and_their_expectation(fraction, draws, limit):
    count = 200_000
    layer = dropover.StochasticActivationPruning(fraction).eval()
    y = layer(H.expand(count, -1)).double()
    expected = survival(H, draws)
    torch.testing.assert_close(1 - layer.rates(H[None])[0].double(), expected, atol=1e-6, rtol=0)
    survived = (y != 0).double().mean(0)
    error = (expected * (1 - expected) / count).sqrt() * limit(16)
    assert ((survived - expected).abs() <= error + 1e-9).all()
    # ŷ = h / s with probability s: mean h, variance h² (1 - s) / s.
    s = torch.where(expected > 0, expected, 1)
    error = (H.double() ** 2 * (1 - s) / s / count).sqrt() * limit(16)
    assert ((y.mean(0) - H.double()).abs() <= error + 1e-6).all()


def test_each_survivor_is_divided_by_its_chance():
    y = dropover.StochasticActivationPruning().eval()(H.expand(1000, -1))
    expected = torch.where(H != 0, H / survival(H, 8).float(), 0).expand(1000, -1)
    torch.testing.assert_close(y[y != 0], expected[y != 0])


def test_the_scale_is_exact_for_units_that_seldom_survive():
    h = torch.tensor([[1.0, 1.0, 1e-7, 1e-9]])
    rates = dropover.SampledRates(1.0)
    units = Element().on(h)
    scale = rescaling.scale("mean", rates(units), Zero(), units)
    q = (h.double() / h.double().sum())[0]
    chance = torch.tensor([-math.expm1(4 * math.log1p(-each)) for each in q.tolist()], dtype=torch.float64)
    torch.testing.assert_close(scale[0].double() * chance, torch.ones(4, dtype=torch.float64), atol=1e-5, rtol=0)


def test_one_draw_keeps_one_unit():
    y = dropover.StochasticActivationPruning(1 / 8).eval()(H.expand(500, -1))
    assert ((y != 0).sum(1) == 1).all()


@pytest.mark.parametrize(("fraction", "units", "draws"), [(0.07, 100, 7), (0.29, 100, 29), (1.0, 5, 5), (1e-6, 10, 1)])
def test_draws_are_rounded_up_but_not_for_rounding_errors(fraction, units, draws):
    assert dropover.SampledRates(fraction).draws(units) == draws


def test_samples_of_zeros_pass():
    x = torch.stack([torch.zeros(8), H])
    layer = dropover.StochasticActivationPruning().eval()
    assert torch.equal(layer(torch.zeros(3, 8)), torch.zeros(3, 8))
    assert torch.equal(layer(x)[0], torch.zeros(8))
    assert layer.rates(x)[0].tolist() == [0] * 8


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_small_activations_in_half_precision_stay_finite(dtype):
    x = torch.rand(20, 400, dtype=dtype) + 0.1
    x[:, ::2] = 1e-6  # survive so seldom that their scale is beyond float16
    x.requires_grad_()
    y = dropover.StochasticActivationPruning().eval()(x)
    assert y.isfinite().all()
    y.sum().backward()
    assert x.grad[y == 0].eq(0).all()


def test_nothing_happens_in_training():
    x = torch.rand(4, 5)
    assert dropover.StochasticActivationPruning()(x) is x
