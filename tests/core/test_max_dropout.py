"""MaxDropout: one number per call, each unit with its own marginal rate."""

import pytest
import torch

import dropover

CALLS = 200_000


def test_each_unit_is_hit_with_its_marginal_rate(limit):
    p = 0.4
    x = torch.tensor([[0.1, -0.7, 1.0, 1.3, -1.6, 1.9, -2.0]])
    expected = (1 - (1 - x.abs() / 2) / p).clamp(0, 1).double()
    layer = dropover.MaxDropout(p)
    torch.testing.assert_close(layer.rates(x).double(), expected, atol=1e-6, rtol=0)
    y = torch.vmap(layer, randomness="different")(x.expand(CALLS, 1, 7))
    found = (y == 0).double().mean(0)
    error = (expected * (1 - expected) / CALLS).sqrt() * limit(7)
    assert error.max() < 0.008  # a rate that is off by 0.01 would fail
    assert ((found - expected).abs() <= error + 1e-6).all()


def test_the_number_is_uniform_and_shared(limit):
    p, x = 0.5, torch.linspace(0, 1, 101).repeat(3, 1)
    reach = []
    for _ in range(2000):
        hit = dropover.MaxDropout(p)(x) == 0
        hit[:, 0] = False  # 0 before and after
        assert torch.equal(hit, hit[:1].expand_as(hit))  # every sample as hard as the others
        count = int(hit[0].sum())
        assert hit[0, 101 - count :].all()  # the largest, and no others
        reach.append(count / 100)
    counts = torch.tensor(reach, dtype=torch.float64)
    assert counts.min() >= 0.01  # the largest unit is always hit
    assert counts.max() <= p + 0.01
    assert abs(counts.mean() - (p / 2 + 0.005)) <= limit(1) * (p**2 / 12 / 2000) ** 0.5


def test_it_does_not_rescale_and_normalises_each_sample():
    x = torch.tensor([[1.0, 0.1], [100.0, 10.0]])
    y = dropover.MaxDropout(0.5)(x)
    assert torch.equal(y, torch.tensor([[0.0, 0.1], [0.0, 10.0]]))


@pytest.mark.parametrize("p", [0.0, 1e-300, 1e-12, 1.0])
def test_extreme_reaches(p):
    layer, x = dropover.MaxDropout(p), torch.tensor([[0.0, 0.5, 1.0], [0.0, 0.0, 0.0]])
    rates = layer.rates(x)
    expected = {0.0: [0, 0, 0], 1.0: [0, 0.5, 1]}.get(p, [0, 0, 1])
    assert rates[0].tolist() == expected
    assert rates[1].tolist() == [0, 0, 0]
    assert layer(x).isfinite().all()


def test_a_shared_draw_goes_with_any_rates(limit):
    layer = dropover.Regularizer("channel", 0.3, "zero", draw=dropover.Shared())
    y = torch.vmap(layer, randomness="different")(torch.ones(50_000, 2, 3))
    whole = (y == 0).flatten(1)
    assert torch.equal(whole.any(1), whole.all(1))
    assert abs(whole.all(1).double().mean() - 0.3) <= limit(1) * (0.21 / 50_000) ** 0.5
