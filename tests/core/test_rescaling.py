"""What each rescaling keeps: a unit's expectation, a layer's, or nothing."""

import pytest
import torch

import dropover
from dropover import functional

COUNT = 200_000
X = torch.tensor([0.2, -0.5, 1.0, 1.5, -3.0, 4.0])


def mean_and_error(y, limit):
    y = y.double()
    return y.mean(0), limit(y[0].numel()) * y.std(0) / len(y) ** 0.5 + 1e-6


@pytest.mark.parametrize(
    "layer",
    [
        dropover.Dropout(0.7),
        dropover.SpatialDropout(0.3),
        dropover.BiasedDropout(),
        dropover.BiasedDropout(0.6, 0.1),
        dropover.DensityDropout(1, 3, rescale="mean"),
        dropover.GuidedDropout(6, 0.4),
        dropover.Flipover(0.2, rescale="mean"),
        dropover.Flipover(0.8, 1.5, rescale="mean"),
        dropover.DensityFlipover(1, 3, rescale="mean"),
        dropover.GaussianDropout(0.8),
    ],
    ids=repr,
)
def test_mean_keeps_each_units_expectation(layer, limit):
    mean, error = mean_and_error(layer(X.expand(COUNT, -1)), limit)
    assert ((mean - X).abs() <= error).all()


def test_mean_keeps_each_positions_expectation(limit):
    x = X.view(1, 3, 2)
    mean, error = mean_and_error(dropover.CrossmapDropout(0.4)(x.expand(COUNT, -1, -1)), limit)
    assert ((mean - x[0]).abs() <= error).all()


@pytest.mark.parametrize("name", ["dropout", "flipover"])
def test_none_leaves_the_factors_expectation(name, limit):
    layer, factor = {
        "dropout": (dropover.Dropout(0.3, rescale="none"), 0.7),
        "flipover": (dropover.Flipover(0.3, 0.5), 1 - 0.3 * 1.5),
    }[name]
    mean, error = mean_and_error(layer(X.expand(COUNT, -1)), limit)
    assert ((mean - factor * X).abs() <= error).all()
    assert ((mean - X).abs() > error).all()


@pytest.mark.parametrize("effect", ["zero", "flip"])
def test_layer_keeps_the_total_of_a_sample_of_equal_units(effect, limit):
    # Units that differ in their rates and not in their values: only then is the layer's mean the sum over rates.
    rates = dropover.DensityRates(2, 3, -0.4, 0.45)
    x = torch.rand(1, 8, 3, 3, generator=torch.Generator().manual_seed(2))
    layer = dropover.Regularizer("channel", rates, effect, rescale="layer")
    factor = layer(x.expand(50_000, -1, -1, -1))[:, :, 1, 1] / x[0, :, 1, 1]
    total, error = mean_and_error(factor.mean(1, keepdim=True), limit)
    assert abs(total - 1) <= error
    each, error = mean_and_error(factor, limit)
    assert ((each - 1).abs() > error).any()  # a unit's own expectation is not kept


def test_layer_divides_by_the_samples_average():
    layer = dropover.BiasedDropout(0.2, 0.6, rescale="layer")
    y = layer(X.expand(1000, -1))
    kept = 1 - (2 * 0.2 + 4 * 0.6) / 6  # two of the six are above the mean magnitude
    torch.testing.assert_close(y[y != 0], (X / kept).expand_as(y)[y != 0])


def test_constant_rates_make_layer_and_mean_the_same():
    for function in (functional.dropout, functional.spatial_dropout):
        torch.manual_seed(0)
        mean = function(X.repeat(9, 1), 0.3)
        torch.manual_seed(0)
        assert torch.equal(function(X.repeat(9, 1), 0.3, rescale="layer"), mean)


@pytest.mark.parametrize("rescale", ["mean", "layer"])
@pytest.mark.parametrize(("p", "amplitude"), [(0.5, 1.0), (1.0, 0.0 + 1e-300), (0.25, 3.0), (2 / 3, 0.5)])
def test_an_expectation_of_0_is_refused(rescale, p, amplitude):
    message = r"divides by the factor's expectation, 1 - p\(1 \+ amplitude\), which is 0 at p = .*rescale='none'"
    with pytest.raises(ValueError, match=message):
        dropover.Flipover(p, amplitude, rescale=rescale)
    with pytest.raises(ValueError, match=message):
        dropover.Flipover(0.1, amplitude, eval_p=p, rescale=rescale)
    with pytest.raises(ValueError, match=message):
        functional.flipover(X, p, amplitude, rescale=rescale)
    assert dropover.Flipover(p, amplitude, rescale="none").p == p


def test_rates_that_pass_through_0_expectation_are_refused():
    with pytest.raises(ValueError, match=r"0 at p = 0\.4"):
        dropover.DensityFlipover(amplitude=1.5, rescale="mean")
    assert dropover.DensityFlipover(amplitude=1.0, rescale="mean").amplitude == 1


def test_a_flip_of_half_the_units_leaves_no_expectation(limit):
    mean, error = mean_and_error(dropover.Flipover(0.5, 1.0)(X.expand(COUNT, -1)), limit)
    assert (mean.abs() <= error).all()


def test_everything_dropped_is_0_and_not_infinite():
    for rescale in ("none", "mean", "layer"):
        assert torch.equal(dropover.Dropout(1.0, rescale=rescale)(X), torch.zeros(6))
        assert torch.equal(dropover.BiasedDropout(1.0, 1.0, rescale=rescale)(X), torch.zeros(6))


def test_amplitude_0_is_dropout_without_rescaling():
    torch.manual_seed(0)
    flipped = dropover.Flipover(0.4, 0.0)(X.repeat(50, 1))
    torch.manual_seed(0)
    assert torch.equal(flipped, dropover.Dropout(0.4, rescale="none")(X.repeat(50, 1)))
