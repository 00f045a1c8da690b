"""Functions do what the layers of the same names do."""

import inspect

import pytest
import torch

import dropover
from dropover import functional
from dropover.methods import METHODS


def function_of(layer):
    """A layer's function, and the layer's settings that it takes."""
    function = next(method.function for method in METHODS if method.layer is type(layer))
    settings = layer.settings()
    if "channel_dim" in settings:
        settings["channel_dim"] = layer.channel_dim  # where the layer leaves it open
    missing = {*settings} - {*inspect.signature(function).parameters}
    # A function has no mode of its own, is given the strengths, and the expectation of Gaussian factors is 1.
    assert missing <= {"eval_p", "num_units", *(["rescale"] if function is functional.gaussian_dropout else [])}
    return function, {name: value for name, value in settings.items() if name not in missing}


def test_the_function_equals_the_layer_under_one_seed(acting, make_input):
    x = make_input()
    function, settings = function_of(acting)
    inputs = (x, acting.strength) if isinstance(acting, dropover.GuidedDropout) else (x,)
    torch.manual_seed(9)
    expected = acting(x)
    torch.manual_seed(9)
    assert torch.equal(function(*inputs, **settings), expected)


def test_defaults_are_the_layers(acting, make_input):
    x = make_input()
    function, settings = function_of(acting)
    fixed = {name: getattr(acting, name) for name in ("components", "block_size") if hasattr(acting, name)}
    inputs = (x, acting.strength) if isinstance(acting, dropover.GuidedDropout) else (x,)
    torch.manual_seed(9)
    expected = function(*inputs, **settings)
    torch.manual_seed(9)
    assert torch.equal(function(*inputs, **fixed), expected)


def test_a_generator_is_used_and_the_default_one_left_alone(acting, make_input):
    x = make_input(samples=64)
    function, settings = function_of(acting)
    inputs = (x, acting.strength) if isinstance(acting, dropover.GuidedDropout) else (x,)
    state = torch.get_rng_state()
    generator = torch.Generator().manual_seed(5)
    first = function(*inputs, **settings, generator=generator)
    second = function(*inputs, **settings, generator=generator)
    again = function(*inputs, **settings, generator=generator.manual_seed(5))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


def test_without_training_nothing_happens(acting, make_input):
    x = make_input()
    function, settings = function_of(acting)
    if function is functional.stochastic_activation_pruning:
        return  # acts at inference: the caller decides
    if function is functional.guided_dropout:
        y = function(x, acting.strength, **settings, training=False)
        shape = (1, 12, *[1] * (x.ndim - 2))
        torch.testing.assert_close(y, x * acting.strength.view(shape))
        return
    assert function(x, **settings, training=False) is x


def test_every_function_is_listed():
    assert all(callable(getattr(functional, name)) for name in functional.__all__)
    assert set(functional.__all__) <= set(dir(functional))


@pytest.mark.parametrize("units", ["element", "channel", "position", "sample"])
@pytest.mark.parametrize("effect", ["zero", "flip", "noise"])
def test_regularize_equals_the_regularizer(units, effect):
    x = torch.rand(4, 6, 3, 3)
    rates = dropover.MagnitudeRates(0.2, 0.6)
    torch.manual_seed(2)
    expected = dropover.Regularizer(units=units, rates=rates, effect=effect)(x)
    torch.manual_seed(2)
    assert torch.equal(functional.regularize(x, units, rates, effect), expected)
