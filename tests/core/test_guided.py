"""Guided dropout: who is dropped, and what the strengths learn."""

import math

import pytest
import torch

import dropover


def guided(strength, p, mode, **settings):
    layer = dropover.GuidedDropout(len(strength), p, mode, **settings)
    with torch.no_grad():
        layer.strength.copy_(torch.as_tensor(strength))
    return layer


@pytest.mark.parametrize(
    ("p", "units", "dropped"), [(0.3, 10, 3), (0.25, 10, 3), (0.07, 100, 7), (1.0, 5, 5), (0.0, 5, 0)]
)
def test_top_drops_the_strongest(p, units, dropped):
    assert dropped == math.ceil(round(p * units, 6))
    strength = torch.randperm(units).float() + 1
    layer = guided(strength, p, "top")
    y = layer(torch.ones(3, units, 2))
    expected = (strength > units - dropped).view(1, units, 1).expand(3, units, 2)
    assert torch.equal(y == 0, expected)
    torch.testing.assert_close(y[~expected], strength.view(1, -1, 1).expand_as(y)[~expected])


def test_active_drops_the_upper_half_of_the_range(limit):
    layer = guided([0.0, 1.0, 1.9, 2.1, 4.0], 0.3, "active")
    rates = layer.rates(torch.ones(1, 5))
    torch.testing.assert_close(rates, torch.tensor([[0.0, 0.0, 0.0, 0.3, 0.3]]))
    count = 200_000
    y = layer(torch.ones(count, 5))
    assert torch.equal(y[:, 1:3], torch.tensor([1.0, 1.9]).expand(count, 2))
    dropped = (y[:, 3:] == 0).double().mean(0)
    assert ((dropped - 0.3).abs() < limit(2) * math.sqrt(0.21 / count)).all()
    torch.testing.assert_close(y[:, 4].unique(), torch.tensor([0.0, 4.0 / 0.7]))


def test_equal_strengths_make_it_dropout():
    assert dropover.GuidedDropout(6, 0.3).rates(torch.ones(2, 6)).unique().tolist() == pytest.approx([0.3])


def test_strengths_start_at_1_multiply_at_inference_and_are_saved():
    layer = dropover.GuidedDropout(4).eval()
    x = torch.rand(2, 4, 3)
    assert torch.equal(layer(x), x)
    with torch.no_grad():
        layer.strength.copy_(torch.tensor([1.0, 2.0, 0.5, -1.0]))
    assert torch.equal(layer(x), x * layer.strength.view(1, 4, 1))
    again = dropover.GuidedDropout(4).eval()
    again.load_state_dict(layer.state_dict())
    assert torch.equal(again(x), layer(x))


@pytest.mark.parametrize("mode", ["top", "active"])
def test_strengths_get_the_gradient_of_the_units_that_stay(mode):
    layer = guided([1.0, 2.0, 3.0, 4.0], 0.5, mode, rescale="none")
    x = torch.rand(1, 4) + 1
    y = layer(x)
    y.sum().backward()
    torch.testing.assert_close(layer.strength.grad, torch.where(y[0] != 0, x[0], 0))
    assert [name for name, _ in layer.named_parameters()] == ["rule.strength"]


def test_an_optimizer_moves_the_strengths():
    layer = dropover.GuidedDropout(4)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(torch.ones(8, 4)).sum().backward()
    optimizer.step()
    assert (layer.strength < 1).all()


def test_tokens_and_channels_last():
    layer = guided([1.0, 2.0, 3.0], 1.0, "active", channel_dim=-1)
    y = layer(torch.ones(2, 5, 3))
    assert torch.equal(y == 0, torch.tensor([False, True, True]).expand(2, 5, 3))
