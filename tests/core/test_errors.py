"""A wrong setting or input is an error that names the argument, the value and what is allowed."""

import functools
import re
from fractions import Fraction

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st

import dropover
from dropover import functional

NAN = float("nan")
RATES = [
    (dropover.Dropout, "p"),
    (dropover.Dropout, "eval_p"),
    (dropover.SpatialDropout, "p"),
    (dropover.SpatialDropout, "eval_p"),
    (dropover.CrossmapDropout, "p"),
    (dropover.CrossmapDropout, "eval_p"),
    (dropover.Flipover, "p"),
    (dropover.Flipover, "eval_p"),
    (dropover.GaussianDropout, "eval_p"),
    (dropover.BiasedDropout, "p_high"),
    (dropover.BiasedDropout, "p_low"),
    (dropover.BiasedDropout, "quantile"),
    (functools.partial(dropover.GuidedDropout, 4), "p"),
]


@pytest.mark.parametrize(("layer", "name"), RATES)
@pytest.mark.parametrize("value", [-0.1, 1.0000001, NAN, float("inf"), 2])
def test_rates_outside_0_to_1(layer, name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be in \[0, 1\], got {value!r}$"):
        layer(**{name: value})


@pytest.mark.parametrize(("layer", "name"), RATES)
@pytest.mark.parametrize("value", ["0.5", True, 1j, [0.5]])
def test_rates_that_are_no_number(layer, name, value):
    with pytest.raises(TypeError, match=rf"^{name} must be a number, got {re.escape(repr(value))}$"):
        layer(**{name: value})


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: dropover.Flipover(amplitude=-1),
            ValueError,
            "amplitude must be a finite number of at least 0, got -1",
        ),
        (lambda: dropover.Flipover(amplitude=NAN), ValueError, "amplitude must be a finite number of at least 0"),
        (lambda: dropover.Flipover(amplitude="1"), TypeError, "amplitude must be a number, got '1'"),
        (lambda: dropover.DensityFlipover(amplitude=-2), ValueError, "amplitude must be a finite number"),
        (lambda: dropover.GaussianDropout(-0.5), ValueError, "std must be a finite number of at least 0, got -0.5"),
        (
            lambda: dropover.GaussianDropout(float("inf")),
            ValueError,
            "std must be a finite number of at least 0, got inf",
        ),
        (lambda: dropover.DensityDropout(0), ValueError, "components must be one of 1, 2, 3, got 0"),
        (lambda: dropover.DensityDropout(4), ValueError, "components must be one of 1, 2, 3, got 4"),
        (lambda: dropover.DensityDropout(2.0), TypeError, "components must be a whole number, got 2.0"),
        (lambda: dropover.DensityDropout(True), TypeError, "components must be a whole number, got True"),
        (lambda: dropover.DensityDropout(bins=0), ValueError, "bins must be at least 1, got 0"),
        (lambda: dropover.DensityDropout(bins=2.5), TypeError, "bins must be a whole number, got 2.5"),
        (lambda: dropover.DensityDropout(slope=NAN), ValueError, "slope must be a finite number, got nan"),
        (lambda: dropover.DensityDropout(intercept="a"), TypeError, "intercept must be a number, got 'a'"),
        (
            lambda: dropover.DensityDropout(slope=-0.95),
            ValueError,
            "slope and intercept must keep slope * density + intercept in [0, 1] for every relative density in (0, 1], "
            "got slope=-0.95 and intercept=0.9, which reach -0.05 to 0.9",
        ),
        (lambda: dropover.DensityDropout(slope=0.5, intercept=0.6), ValueError, "which reach 0.6 to 1.1"),
        (lambda: dropover.DensityDropout(slope=-0.5, intercept=1.2), ValueError, "which reach 0.7 to 1.2"),
        (lambda: dropover.StochasticActivationPruning(0), ValueError, "fraction must be above 0, got 0"),
        (
            lambda: dropover.StochasticActivationPruning(-1),
            ValueError,
            "fraction must be a finite number of at least 0",
        ),
        (lambda: dropover.GuidedDropout(0), ValueError, "num_units must be at least 1, got 0"),
        (lambda: dropover.GuidedDropout(2.5), TypeError, "num_units must be a whole number, got 2.5"),
        (lambda: dropover.GuidedDropout(4, mode="best"), ValueError, "mode must be one of 'top', 'active', got 'best'"),
        (lambda: dropover.SpatialDropout(channel_dim=1.0), TypeError, "channel_dim must be a whole number, got 1.0"),
        (lambda: dropover.SpatialDropout(channel_dim="C"), TypeError, "channel_dim must be a whole number, got 'C'"),
        (lambda: dropover.Regularizer("pixel", 0.5, "zero"), ValueError, "units must be one of 'element', 'channel'"),
        (
            lambda: dropover.Regularizer(3, 0.5, "zero"),
            TypeError,
            "units must be a name or one of dropover's units, got 3",
        ),
        (
            lambda: dropover.Regularizer("element", 0.5, "drop"),
            ValueError,
            "effect must be one of 'zero', 'flip', 'noise'",
        ),
        (
            lambda: dropover.Regularizer("element", 0.5, None),
            TypeError,
            "effect must be a name or one of dropover's effects",
        ),
        (lambda: dropover.Regularizer("element", 1.5, "zero"), ValueError, "rates must be in [0, 1], got 1.5"),
        (lambda: dropover.Regularizer("element", None, "zero"), ValueError, "rates and eval_rates can't both be None"),
        (lambda: dropover.Regularizer("element", 0.5, "zero", draw="x"), TypeError, "draw must be Bernoulli() or"),
        (
            lambda: dropover.Regularizer("element", 0.5, "zero", draw=dropover.WithReplacement()),
            TypeError,
            "draw=WithReplacement() needs rates=SampledRates(...), got rates=ConstantRate(p=0.5)",
        ),
    ],
)
def test_settings_outside_their_range(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64])
def test_inputs_that_are_not_real_floating_point(acting, make_input, dtype):
    message = f"^input must have a real floating-point dtype such as torch.float32, got {dtype}$"
    for call in (acting, acting.rates):
        with pytest.raises(TypeError, match=message):
            call(make_input().to(dtype))


def test_inputs_that_are_no_tensor(acting):
    with pytest.raises(TypeError, match=r"^input must be a torch\.Tensor, got list$"):
        acting([1.0, 2.0])


@pytest.mark.parametrize(
    ("layer", "shape", "takes"),
    [
        (dropover.SpatialDropout(), (5,), "channel units take (N, C) or (N, C, *)"),
        (dropover.SpatialDropout(), (), "channel units take (N, C) or (N, C, *)"),
        (dropover.GuidedDropout(5), (5,), "channel units take (N, C) or (N, C, *)"),
        (dropover.CrossmapDropout(), (2, 5), "position units take (N, C, L), (N, C, H, W) or (N, C, D, H, W)"),
        (dropover.DensityDropout(1), (5,), "channel units take (N, C) or (N, C, *)"),
        (dropover.DensityDropout(2), (2, 5), "takes maps (N, C, *) of at least 3 dimensions"),
        (dropover.DensityDropout(3), (2, 5), "components=1 takes features (N, C)"),
        (dropover.Regularizer("sample", 0.5, "zero"), (), "sample units take (N, *)"),
    ],
)
def test_shapes_that_a_method_cannot_mean(layer, shape, takes):
    for call in (layer, layer.rates):
        with pytest.raises(ValueError, match=re.escape(takes)):
            call(torch.rand(shape))


@pytest.mark.parametrize("channel_dim", [0, 4, -4, -5])
def test_a_channel_dim_that_the_input_lacks(channel_dim):
    message = (
        f"channel_dim must name a dimension of the input other than 0, the samples; got {channel_dim} for an input"
    )
    for layer in (dropover.SpatialDropout, dropover.CrossmapDropout, dropover.DensityDropout):
        with pytest.raises(ValueError, match=message):
            layer(channel_dim=channel_dim)(torch.rand(2, 3, 4, 5))


def test_strengths_that_do_not_fit():
    message = "num_units must match the input's 6 units, got 5; the input has shape (2, 6), and channel_dim is 1"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        dropover.GuidedDropout(5)(torch.rand(2, 6))
    for shape in ((5,), (6, 1)):
        with pytest.raises(ValueError, match=re.escape(f"strength must have the shape (6,), got {shape}")):
            functional.guided_dropout(torch.rand(2, 6), torch.ones(shape))


def test_functions_check_before_they_compute():
    with pytest.raises(TypeError, match="real floating-point"):
        functional.guided_dropout(torch.ones(2, 6, dtype=torch.int64), torch.ones(6))
    with pytest.raises(ValueError, match="channel units take"):
        functional.guided_dropout(torch.ones(6), torch.ones(6))
    x = torch.rand(2, 3, 4)
    for function in (functional.dropout, functional.spatial_dropout, functional.crossmap_dropout, functional.flipover):
        with pytest.raises(ValueError, match=r"^p must be in \[0, 1\], got 2$"):
            function(x, 2, training=False)


def test_a_setting_that_is_changed_is_checked_and_kept_if_refused():
    layer = dropover.Flipover(0.3, rescale="mean")
    with pytest.raises(ValueError, match=r"^Flipover.p: rescale='mean' divides by .* 0 at p = 0.5"):
        layer.p = 0.5
    with pytest.raises(ValueError, match=r"^Flipover.eval_p: p must be in \[0, 1\], got 3$"):
        layer.eval_p = 3
    assert (layer.p, layer.eval_p) == (0.3, 0.0)
    layer.p = 0.4
    assert (layer.p, layer.eval_p) == (0.4, 0.0)
    assert layer.rates(torch.ones(2)).tolist() == pytest.approx([0.4, 0.4])


@hypothesis.given(st.floats(0, 1), st.sampled_from([float, np.float64, np.float32, Fraction]))
def test_any_real_number_in_0_to_1_is_a_rate(p, kind):
    for layer in (dropover.Dropout(kind(p)), dropover.BiasedDropout(kind(p), 0.5)):
        assert layer(torch.ones(2, 3)).shape == (2, 3)
        assert repr(eval(repr(layer), vars(dropover))) == repr(layer)  # noqa: S307


@hypothesis.given(st.floats().filter(lambda p: not 0 <= p <= 1))
def test_no_other_float_is_a_rate(p):
    with pytest.raises(ValueError, match="p must be in"):
        dropover.Dropout(p)
