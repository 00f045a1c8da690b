"""A user's own units, rule, draw and effect work wherever dropover's do."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

import dropover
from dropover.compute.hits import Hits
from dropover.parts import public
from dropover.parts.draws import Draw
from dropover.parts.effects import Effect
from dropover.parts.rates import Rates
from dropover.parts.units import Units, View

X = torch.rand(2, 3, 4, 5) + 0.1


@dataclass(frozen=True)
class Row(Units):
    """A row of all maps of a sample."""

    least = 4

    def on(self, x, channel_dim=1):
        checked = super().on(x, channel_dim)
        return View(self, checked.x, channel_dim, (0, 2), (x.shape[0], 1, x.shape[2], 1))


@dataclass(frozen=True)
class Ramp(Rates):
    """From 0 for a sample's first unit to `most` for its last."""

    most: float

    @property
    def bounds(self):
        return (0.0, self.most)

    def __call__(self, units):
        count = units.observations().shape[1]
        return torch.linspace(0, self.most, count, device=units.x.device).expand(units.x.shape[0], -1)


class Last(Draw):
    """Hits the last unit of each sample, whatever the rates."""

    def __call__(self, rates, p, units, key):
        margins = torch.ones(units.grid)
        margins[:, -1] = -1
        return Hits(key, units.spread(margins))


@dataclass(frozen=True)
class Raise(Effect):
    """Adds 1 to a hit unit."""

    mean = 1.0

    def __call__(self, x, hits, scale):
        return torch.where(hits.margins_over(tuple(x.shape)) < 0, x + 1, x) * scale


def test_own_units_are_hit_as_one():
    layer = dropover.Regularizer(Row(), 0.5, "flip")
    y = layer(X)
    assert layer.rates(X).shape == (2, 4)
    flipped = y < 0
    assert flipped.any()
    assert torch.equal(flipped.any(dim=3).any(dim=1), flipped.all(dim=3).all(dim=1))
    for rates in (dropover.MagnitudeRates(0.9, 0.1), dropover.DensityRates(2, 2), Ramp(1.0)):
        assert dropover.functional.regularize(X, Row(), rates, "zero", rescale="layer").shape == X.shape
    with pytest.raises(ValueError, match=r"units take \(N, \*\), got an input of shape \(2, 3\)"):
        layer(X[..., 0, 0])


def test_an_own_rule_says_how_often(limit):
    layer = dropover.Regularizer("channel", Ramp(0.8), "zero")
    x = torch.ones(20_000, 5)
    found, expected = (layer(x) == 0).double().mean(0), torch.linspace(0, 0.8, 5).double()
    assert ((found - expected).abs() <= limit(5) * (expected * (1 - expected) / len(x)).sqrt() + 1e-4).all()
    torch.testing.assert_close(layer.rates(x)[0], expected.float())
    assert torch.equal(layer.eval()(x), x)
    with pytest.raises(ValueError, match=r"0 at p = 0\.5"):
        dropover.Regularizer("channel", Ramp(0.8), "flip", rescale="mean")


def test_an_own_draw_and_effect():
    layer = dropover.Regularizer("channel", 0.3, Raise(), draw=Last())
    expected = X.clone()
    expected[:, -1] += 1
    assert torch.equal(layer(X), expected)
    everywhere = dropover.Regularizer("element", 1.0, Raise())
    assert torch.equal(everywhere(X), X + 1)
    elements = dropover.Regularizer("element", 0.5, Raise())(torch.zeros(100, 100))
    assert abs(elements.mean() - 0.5) < 0.05


def test_own_parts_meet_insertion_and_monte_carlo():
    model = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 3))
    plan = dropover.insert(model, {"0": dropover.Regularizer("channel", Ramp(0.8), Raise(), draw=Last())})
    assert dropover.monte_carlo(model, torch.rand(4, 5), samples=3).mean.shape == (4, 3)
    with pytest.raises(ValueError, match="only dropover's own layers and schedules can be saved in a plan, got a Ramp"):
        plan.to_json()


def test_what_a_part_leaves_out_is_said():
    for part, call in (
        (Rates(), lambda part: part(dropover.Element().on(X))),
        (Draw(), lambda part: part(*[None] * 4)),
    ):
        with pytest.raises(NotImplementedError, match=f"{type(part).__name__} must say in __call__"):
            call(part)
    with pytest.raises(NotImplementedError, match="Effect must say"):
        Effect()(X, None, 1.0)
    with pytest.raises(NotImplementedError, match="Effect must say the mean"):
        dropover.Regularizer("element", 0.5, Effect(), rescale="mean")


def test_public_parts_are_those_that_their_modules_list():
    assert {"Channel", "JumpRate", "LinearSchedule", "Blocks", "Noise"} <= set(public())
    for name, part in public().items():
        assert getattr(dropover, name) is part


@pytest.mark.parametrize("units", ["element", "sample"])
def test_a_dimension_for_channels_that_units_lack_is_refused(units):
    message = r"channel_dim must be None for \w+\(\) units, which have no channels, got 1"
    with pytest.raises(ValueError, match=message):
        dropover.Regularizer(units, 0.5, "zero", channel_dim=1)
    layer = dropover.Regularizer(units, 0.5, "zero", channel_dim=None)
    with pytest.raises(ValueError, match=message):
        layer.channel_dim = 1
    assert not layer.knows_channels
    if units == "element":  # blocks lie in a channel's map
        assert dropover.Regularizer(units, 0.1, "zero", draw=dropover.Blocks(2), channel_dim=-1).channel_dim == -1
