"""Flipover: its factor, and the penalty that it amounts to."""

import pytest
import torch

import dropover


def gradients(layer, w, x, target, count):
    """Per-sample gradients of ½(Σ w_i ŷ_i - t)² with respect to w, ŷ the layer's output for x, shape (count, d)."""
    weights = w.expand(count, -1).clone().requires_grad_()
    prediction = (weights * layer(x.expand(count, -1))).sum(1)
    (0.5 * (prediction - target) ** 2).sum().backward()
    return weights.grad


@pytest.mark.parametrize(("p", "amplitude"), [(0.3, 1.0), (0.2, 0.5), (0.5, 0.0), (0.6, 2.0)])
def test_flipover_is_a_penalty_of_known_size(p, amplitude, limit):
    # For the linear model with squared loss: E[∂L_F/∂w_i] = ∂L_N/∂w_i + v w_i I_i², L_N the loss at w' = μ w.
    count = 400_000
    w = torch.tensor([0.5, -1.0, 2.0, 0.3], dtype=torch.float64)
    x = torch.tensor([1.0, 2.0, -0.5, 3.0], dtype=torch.float64)
    target = 0.7
    found = gradients(dropover.Flipover(p, amplitude), w, x, target, count)
    mu, v = 1 - p * (1 + amplitude), p * (1 - p) * (1 + amplitude) ** 2
    plain = (mu * (w * x).sum() - target) * mu * x
    error = limit(8) * found.std(0) / count**0.5
    assert ((found.mean(0) - (plain + v * w * x**2)).abs() <= error).all()
    if amplitude == 1:  # the article's printed penalty is half of that
        printed = plain + 2 * p * (1 - p) * w * x**2
        assert ((found.mean(0) - printed).abs() > 2 * error).any()


def test_values_are_flipped_and_scaled():
    x = torch.tensor([1.0, -2.0, 3.0]).repeat(200, 1)
    y = dropover.Flipover(0.3, 0.5)(x)
    assert set((y / x).unique().tolist()) == {1.0, -0.5}


def test_p_1_flips_everything_and_p_0_nothing():
    x = torch.randn(5, 6)
    assert torch.equal(dropover.Flipover(1.0, 0.5)(x), -0.5 * x)
    assert dropover.Flipover(0.0)(x) is x


def test_infinities_change_sign():
    x = torch.full((100,), float("inf"))
    assert set(dropover.Flipover(0.5, 0.5)(x).tolist()) == {float("inf"), -float("inf")}


def test_inference_has_its_own_rate(limit, z_of_rate):
    layer = dropover.Flipover(0.3, eval_p=0.1)
    x = torch.ones(1 << 18)
    assert abs(z_of_rate(layer(x) < 0, 0.3)) < limit(2)
    assert abs(z_of_rate(layer.eval()(x) < 0, 0.1)) < limit(2)
