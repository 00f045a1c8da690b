"""Monte Carlo prediction against closed forms."""

import math

import pytest
import torch
from torch import nn

from dropover.insertion import insert
from dropover.methods.drop_connect import DropConnect
from dropover.methods.flipover import Flipover
from dropover.methods.jumpout import Jumpout
from dropover.methods.max_dropout import MaxDropout
from dropover.methods.sap import StochasticActivationPruning
from dropover.methods.spatial import SpatialDropout
from dropover.uncertainty import monte_carlo


class Logits(nn.Module):
    """The logits (a, -a) for an input a: flipping both means the other class."""

    def forward(self, x):
        return torch.cat([x, -x], dim=1)


def flags(model: nn.Module) -> list[bool]:
    return [each.training for each in model.modules()]


def test_statistics_of_a_coin() -> None:
    # The input's sign is flipped with probability 1/4: two outcomes, all four statistics known.
    a, p = 0.8, 0.25
    model = nn.Sequential(Flipover(p), Logits())
    result = monte_carlo(model, torch.full((2, 1), a), samples=40_000)
    right = 1 / (1 + math.exp(-2 * a))
    mean = (1 - p) * right + p * (1 - right)
    spread = (2 * right - 1) * math.sqrt(p * (1 - p))
    torch.testing.assert_close(result.mean, torch.tensor([[mean, 1 - mean]] * 2), atol=5e-3, rtol=0)
    torch.testing.assert_close(result.spread, torch.full((2, 2), spread), atol=5e-3, rtol=0)
    torch.testing.assert_close(result.entropy, torch.full((2,), _h(mean)), atol=5e-3, rtol=0)
    torch.testing.assert_close(result.mutual_information, torch.full((2,), _h(mean) - _h(right)), atol=5e-3, rtol=0)


def _h(p: float) -> float:
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


def test_draws_that_agree_have_no_spread_and_no_information() -> None:
    model, x = nn.Sequential(nn.Linear(4, 3), Flipover(1.0)), torch.randn(5, 4)
    result = monte_carlo(model, x, samples=3)
    torch.testing.assert_close(result.mean, (-model[0](x)).softmax(1))
    torch.testing.assert_close(result.spread, torch.zeros(5, 3))
    torch.testing.assert_close(result.mutual_information, torch.zeros(5), atol=1e-6, rtol=0)
    assert not result.mean.requires_grad


def test_certain_logits_stay_finite() -> None:
    result = monte_carlo(nn.Sequential(Flipover(1.0), Logits()), torch.tensor([[1e4]]), samples=2)
    assert torch.equal(result.mean, torch.tensor([[0.0, 1.0]]))
    assert result.entropy == result.mutual_information == 0


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64, None])
def test_batches_cover_every_input_and_respect_the_limit(batch_size: int | None) -> None:
    seen = []

    class Spy(nn.Linear):
        def forward(self, x):
            seen.append(len(x))
            return super().forward(x)

    model, x = nn.Sequential(Spy(4, 3), Flipover(1.0)), torch.randn(5, 4)
    result = monte_carlo(model, x, samples=4, batch_size=batch_size)
    torch.testing.assert_close(result.mean, (-nn.Linear.forward(model[0], x)).softmax(1))
    assert max(seen) <= (batch_size or 1024)
    assert sum(seen) == 20


def test_only_regularizers_are_in_training_mode_and_every_flag_returns() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), SpatialDropout(0.5), nn.Flatten(), nn.Linear(144, 3))
    model[1].eval()
    plan = insert(model, {"0": Flipover(0.3), "4": ("before", nn.Dropout(0.5)), "": Flipover(0.0)})
    model(torch.randn(2, 3, 8, 8))
    plan.layers[1].eval()
    model[3].train()
    before, layers = flags(model), [each.training for each in plan.layers]
    statistics = model[1].running_mean.clone()
    during = []
    model[4].register_forward_hook(lambda *_: during.append((flags(model), [each.training for each in plan.layers])))
    result = monte_carlo(model, torch.randn(2, 3, 8, 8), samples=8)
    assert during == [([False, False, False, True, False, False], [True, True, True])]
    assert (flags(model), [each.training for each in plan.layers]) == (before, layers)
    assert torch.equal(model[1].running_mean, statistics)
    assert (result.spread > 0).all()
    model.eval()(torch.randn(2, 3, 8, 8))
    assert not any(each.training for each in plan.layers)


def test_flags_return_after_an_error() -> None:
    model = nn.Sequential(nn.Linear(4, 3), Flipover(0.5))
    plan = insert(model, {"0": Flipover(0.5)})
    model[0].eval()
    before = flags(model)
    with pytest.raises(RuntimeError):
        monte_carlo(model, torch.randn(2, 5))
    assert flags(model) == before
    assert plan.layers[0].training


def test_a_layer_of_inference_stays_in_its_mode() -> None:
    model = nn.Sequential(StochasticActivationPruning(0.5), nn.Linear(6, 3))
    assert (monte_carlo(model, torch.randn(4, 6)).spread > 0).any()


def test_the_fast_path_of_the_encoder_does_not_skip_dropout() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, batch_first=True)
    model = nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Flatten(), nn.Linear(24, 3)).eval()
    before = flags(model)
    assert (monte_carlo(model, torch.randn(4, 3, 8), samples=5).spread > 0).all()
    assert flags(model) == before


@pytest.mark.parametrize("layer", [DropConnect(nn.Linear(4, 4)), Jumpout(0.3), MaxDropout(0.5)])
def test_draws_that_a_pass_shares_are_made_one_by_one(layer: nn.Module) -> None:
    model = nn.Sequential(layer, nn.Linear(4, 3))
    seen = []
    model.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    x = 1 + torch.rand(5, 4)  # within a factor of 2 of each other, or MaxDropout would always drop the same ones
    result = monte_carlo(model, x, samples=20, batch_size=3)
    assert seen == [3] * 20 + [2] * 20
    assert (result.spread > 0).all()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"samples": 1}, ValueError, "samples must be at least 2, got 1"),
        ({"samples": 2.5}, TypeError, "samples must be a whole number"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"x": [1.0]}, TypeError, "x must be a torch.Tensor, got list"),
        (
            {"x": torch.zeros(0, 4)},
            ValueError,
            r"x must hold at least one input in dimension 0, got the shape \(0, 4\)",
        ),
        ({"model": nn.Linear(4, 3)}, ValueError, "needs a regularizer with a rate above 0.*found none"),
        ({"model": nn.Sequential(nn.Dropout(0.0))}, ValueError, "found 1 with rate 0"),
        ({"model": nn.Sequential(nn.Dropout(0.5), nn.LSTM(4, 3))}, TypeError, "must return logits.* got tuple"),
        (
            {"model": nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 1))},
            ValueError,
            r"must return logits \(60, K\) .* got",
        ),
    ],
)
def test_errors(arguments, error: type[Exception], message: str) -> None:
    given = {"model": nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5)), "x": torch.zeros(2, 4), **arguments}
    with pytest.raises(error, match=message):
        monte_carlo(**given)
