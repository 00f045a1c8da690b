"""Biased dropout: two groups by magnitude, two rates."""

import pytest
import torch

import dropover


def test_the_border_is_each_samples_mean_magnitude():
    x = torch.tensor([[1.0, -1.0, 2.0, -8.0], [0.1, 0.2, -0.3, 0.4]])  # means 3 and 0.25
    rates = dropover.BiasedDropout(0.2, 0.6).rates(x)
    expected = torch.tensor([[0.6, 0.6, 0.6, 0.2], [0.6, 0.6, 0.2, 0.2]])
    torch.testing.assert_close(rates, expected)


def test_the_mean_is_over_the_whole_layer_and_not_a_channel():
    x = torch.stack([torch.full((2, 2), 1.0), torch.full((2, 2), 3.0)]).unsqueeze(0)
    rates = dropover.BiasedDropout().rates(x)
    assert rates[0, 0].unique().tolist() == [0.75]
    assert rates[0, 1].unique().tolist() == [0.25]


@pytest.mark.parametrize(("quantile", "strong"), [(0.0, 9), (0.5, 5), (0.75, 3), (1.0, 0)])
def test_a_quantile_as_the_border(quantile, strong):
    x = torch.randperm(10).float().unsqueeze(0) + 1
    rates = dropover.BiasedDropout(0.1, 0.9, quantile).rates(x)
    assert (rates < 0.5).sum() == strong
    assert set(x[rates < 0.5].tolist()) == set(range(11 - strong, 11))


def test_zeros_of_a_relu_are_the_weak_group():
    x = torch.relu(torch.linspace(-1, 1, 40)).unsqueeze(0)
    assert (dropover.BiasedDropout().rates(x)[x == 0] == 0.75).all()


def test_inputs_without_samples_are_one_sample():
    x = torch.tensor([1.0, 2.0, 9.0])
    assert dropover.BiasedDropout().rates(x).tolist() == [0.75, 0.75, 0.25]
    assert dropover.BiasedDropout().rates(x[0]).shape == ()


def test_magnitudes_of_half_precision_are_summed_in_float32():
    x = torch.full((1, 100_000), 300.0, dtype=torch.float16)
    x[0, 0] = 301
    rates = dropover.BiasedDropout().rates(x)
    assert rates[0, 0] == 0.25
    assert (rates[0, 1:] == 0.75).all()


def test_survivors_are_divided_by_what_their_group_keeps():
    x = torch.cat([torch.ones(50), torch.full((50,), 5.0)]).repeat(20, 1)
    y = dropover.BiasedDropout(0.2, 0.5)(x)
    torch.testing.assert_close(y[:, :50].unique(), torch.tensor([0.0, 2.0]))
    torch.testing.assert_close(y[:, 50:].unique(), torch.tensor([0.0, 6.25]))
