"""Every registered method goes through the same contract, a new one too; what is listed here stays as it is."""

import inspect
import re

import pytest
import torch

import dropover
from dropover import functional
from dropover.methods import METHODS
from dropover.parts import rescaling
from dropover.parts.rates import ConstantRate

# The class of a method's layer, and its settings with their defaults: users write them down.
LISTED = {
    "biased": ("BiasedDropout", {"p_high": 0.25, "p_low": 0.75, "quantile": None, "rescale": "mean"}),
    "crossmap": ("CrossmapDropout", {"p": 0.5, "eval_p": 0.0, "rescale": "mean"}),
    "density-flip": (
        "DensityFlipover",
        {"components": 2, "bins": None, "slope": -0.4, "intercept": 0.45, "amplitude": 1.0, "rescale": "none"},
    ),
    "dropout": ("Dropout", {"p": 0.5, "eval_p": 0.0, "rescale": "mean"}),
    "drop-block": ("DropBlock", {"p": 0.1, "eval_p": 0.0, "rescale": "mean"}),
    "drop-path": ("DropPath", {"p": 0.1, "eval_p": 0.0, "rescale": "mean"}),
    "fdd1d": ("DensityDropout", {"bins": None, "slope": -0.8, "intercept": 0.9, "rescale": "none"}),
    "fdd2d": ("DensityDropout", {"bins": None, "slope": -0.8, "intercept": 0.9, "rescale": "none"}),
    "fdd3d": ("DensityDropout", {"bins": None, "slope": -0.8, "intercept": 0.9, "rescale": "none"}),
    "flipover": ("Flipover", {"p": 0.3, "amplitude": 1.0, "eval_p": 0.0, "rescale": "none"}),
    "gaussian": ("GaussianDropout", {"std": 0.5, "eval_p": 0.0, "rescale": "none"}),
    "guided": ("GuidedDropout", {"p": 0.3, "mode": "active", "rescale": "mean"}),
    "jumpout": ("Jumpout", {"p_min": 0.01, "p_max": 0.6, "sigma": 0.1, "rescale": "balanced"}),
    "max-dropout": ("MaxDropout", {"p": 0.3, "rescale": "none"}),
    "sap": ("StochasticActivationPruning", {"fraction": 1.0, "rescale": "mean"}),
    "spectral-dropout": ("SpectralDropout", {"p": 0.1, "quantile": 0.5, "rescale": "mean"}),
    "spatial": ("SpatialDropout", {"p": 0.5, "eval_p": 0.0, "rescale": "mean"}),
}


TAKES_NO_FEATURES = ("crossmap", "drop-block", "fdd2d", "fdd3d", "density-flip", "spectral-dropout")


def test_no_method_was_lost():
    assert set(METHODS.names()) >= {*LISTED, "drop-connect"}  # which wraps a layer, and has tests of its own


def test_settings_and_defaults(method, acting):
    settings = method.settings()
    if acting.uses_channels:
        assert settings.pop("channel_dim", "not offered") is None
    name, defaults = LISTED.get(method.name, (method.layer.__name__, settings))
    assert method.layer is getattr(dropover, name)
    assert method.function is getattr(functional, method.function.__name__)
    assert settings == defaults


def test_a_layer_that_needs_no_channels_is_not_told_them(method, acting):
    if acting.uses_channels:
        return
    with pytest.raises(TypeError, match=f"^{method.name} has no setting 'channel_dim': "):
        method.make(12, channel_dim=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'channel_dim'"):
        method.layer(channel_dim=1)


def test_presets_pick_the_components():
    assert [METHODS.get(f"fdd{k}d").make(8).components for k in (1, 2, 3)] == [1, 2, 3]
    assert dropover.DensityDropout().components == 2
    assert dropover.GuidedDropout(num_units=200, p=0.3, mode="top").num_units == 200


def test_a_constant_rate_also_has_one_for_inference(method, acting, make_input):
    if not isinstance(acting.rule, ConstantRate):
        assert "eval_p" not in method.settings()
        return
    x = make_input()
    at_inference = method.make(12, eval_p=0.5).eval()
    hit = at_inference(x) != x
    assert 0 < hit.sum() <= x.numel()
    assert torch.equal(at_inference.rates(x), torch.full_like(at_inference.rates(x), 0.5))
    assert method.make(12).eval()(x) is x


def test_acts_in_its_mode_and_not_in_the_other(method, acting, make_input):
    x = make_input()
    assert (acting(x) != x).any()
    if method.name != "guided":  # which multiplies by its strengths
        acting.train(not acting.training)
        assert acting(x) is x


def test_samples_are_hit_independently(method, acting, make_input):
    x = make_input(samples=1)
    y = acting(x.expand(64, *x.shape[1:]))
    assert torch.equal(y, y[:1].expand_as(y)) == isinstance(acting.draw, dropover.Shared)


def test_an_input_stays_untouched(acting, make_input):
    x = make_input()
    before = x.clone()
    acting(x)
    acting.rates(x)
    assert torch.equal(x, before)


def test_an_empty_batch_passes_through(acting, make_input):
    x = make_input()[:0]
    assert acting(x).shape == x.shape
    assert acting.rates(x).shape[0] == 0


def test_rates_are_probabilities_in_the_shape_of_the_units(method, acting, make_input):
    x = make_input()
    rates = acting.rates(x)
    per_unit = {"Element": tuple(x.shape), "Channel": (4, 12), "Position": (4, 3, 5), "Sample": (4,)}
    assert rates.shape == per_unit[type(acting.units).__name__]
    assert rates.dtype == torch.float32
    assert not rates.requires_grad
    assert rates.min() >= 0
    assert rates.max() <= 1
    state = torch.get_rng_state()
    acting.rates(x)
    assert torch.equal(torch.get_rng_state(), state)  # asking draws nothing


def test_every_rescaling_is_taken_and_others_are_refused(method, make_input):
    for rescale in rescaling.RESCALINGS:
        layer = method.make(12, rescale=rescale)
        assert layer.rescale == rescale
        assert layer(make_input()).isfinite().all()
    with pytest.raises(ValueError, match="rescale must be one of 'none', 'mean', 'layer', 'balanced', got 'sum'"):
        method.make(12, rescale="sum")


@pytest.mark.parametrize("shape", [(4, 12), (4, 12, 5), (4, 12, 3, 5), (4, 12, 2, 3, 2)])
def test_features_sequences_images_and_volumes(method, acting, shape):
    x = torch.rand(shape)
    try:
        assert acting(x).shape == shape
    except ValueError as error:
        assert len(shape) == 2
        assert re.search(r"takes? .*\(N, C, .*got an input of shape \(4, 12\)", str(error))  # noqa: PT017
        assert method.name in TAKES_NO_FEATURES or method.name not in LISTED
    else:
        assert len(shape) > 2 or method.name not in TAKES_NO_FEATURES


def test_channel_dim_moves_the_channels(method, make_input):
    x = make_input(samples=8)
    if x.ndim == 2:
        return
    if not method.make(12).uses_channels:
        with pytest.raises(ValueError, match=r"channel_dim must be None for .*, which have no channels, got -1"):
            method.make(12).channel_dim = -1
        return
    last = x.movedim(1, -1).contiguous()
    first, moved = method.make(12), method.make(12, channel_dim=-1)
    first.train(first.rule is not None)
    moved.train(first.training)
    expected = first.rates(x)
    if expected.ndim == x.ndim:
        expected = expected.movedim(1, -1)
    torch.testing.assert_close(moved.rates(last), expected)
    assert moved(last).shape == last.shape


def test_a_repr_can_be_evaluated_back(method, acting):
    changed = method.make(12, rescale="layer" if acting.rescale == "none" else "none")
    if acting.uses_channels:
        changed.channel_dim = -1
    for layer in (acting, changed):
        again = eval(repr(layer), vars(dropover))  # noqa: S307  # the promise under test
        assert type(again) is type(layer)
        assert repr(again) == repr(layer)
        assert repr(again.settings()) == repr(layer.settings())


def test_only_strengths_are_saved_with_a_model(method, acting):
    assert [name.rpartition(".")[2] for name in acting.state_dict()] == (
        ["strength"] if method.name == "guided" else []
    )
    assert not list(acting.buffers())


def test_docstrings_name_a_source(method):
    assert "Source: " in inspect.getdoc(method.function)
    assert f"See `{method.function.__name__}`" in inspect.getdoc(method.layer)


def test_a_dropped_infinity_leaves_0(method, acting):
    if acting.effect != dropover.Zero() or method.name == "spectral-dropout":  # which drops sums, not elements
        return
    x = torch.full((64, 12, 3, 5) if method.name != "fdd1d" else (64, 12), 0.5)
    x[:, ::2] = float("inf")
    torch.manual_seed(0)
    y = acting(x)
    assert not y.isnan().any()
    assert (y[:, ::2] == 0).any() or method.name == "sap"  # SAP keeps what is infinitely large
    assert y[y != 0].numel()
