"""DropConnect: a host with masked weights; its expectation, its names, what it refuses."""

import copy
import pickle
import re

import pytest
import torch
from torch import nn

import dropover
from dropover import functional
from dropover.methods import METHODS

HOSTS = [
    (nn.Linear(6, 4), (3, 6)),
    (nn.Conv1d(2, 4, 3), (3, 2, 8)),
    (nn.Conv2d(4, 4, 3, padding=1, groups=2), (3, 4, 5, 6)),
    (nn.Conv3d(2, 3, 2, bias=False), (3, 2, 4, 4, 4)),
]


@pytest.mark.parametrize(("host", "shape"), HOSTS, ids=lambda each: type(each).__name__)
def test_the_output_keeps_its_expectation(host, shape, limit):
    count, x = 20_000, torch.rand(shape)
    with torch.no_grad():
        y = torch.vmap(dropover.DropConnect(host, 0.3), randomness="different")(x.expand(count, *shape)).double()
        expected = host(x).double()
    error = limit(expected.numel()) * y.std(0) / count**0.5
    assert ((y.mean(0) - expected).abs() <= error + 1e-6).all()


def test_each_weight_is_dropped_with_the_rate(limit, z_of_rate):
    host = nn.Linear(1000, 1000, bias=False)
    nn.init.ones_(host.weight)
    y = dropover.DropConnect(host, 0.3)(torch.eye(1000)).detach()  # the masked weights, transposed
    assert abs(z_of_rate(y == 0, 0.3)) < limit(1)
    torch.testing.assert_close(y.unique(), torch.tensor([0, 1 / 0.7]))


@pytest.mark.parametrize(("host", "shape"), HOSTS, ids=lambda each: type(each).__name__)
def test_one_mask_per_call_that_the_gradient_meets(host, shape):
    layer = dropover.DropConnect(host, 0.5)
    x = torch.rand(1, *shape[1:]).expand(shape)
    y = layer(x)
    torch.testing.assert_close(y, y[:1].expand_as(y))
    assert not torch.equal(layer(x), y)
    host.zero_grad()
    layer(torch.rand(shape)).sum().backward()
    dropped = (host.weight.grad == 0).double().mean()
    assert 0.2 < dropped < 0.8


def test_the_host_stays_itself():
    host = nn.Linear(5, 3)
    weight = host.weight.detach().clone()
    layer, x = dropover.DropConnect(host, 0.5), torch.rand(4, 5)
    layer(x)
    assert torch.equal(host.weight, weight)
    assert isinstance(host.weight, nn.Parameter)
    assert list(layer.state_dict()) == ["host.weight", "host.bias"]
    layer.eval()
    assert torch.equal(layer(x), host(x))
    always = dropover.DropConnect(host, 0.5, eval_p=0.5).eval()
    assert not torch.equal(always(x), host(x))


def test_the_bias_is_left_alone():
    host = nn.Linear(5, 3)
    assert torch.equal(dropover.DropConnect(host, 1.0)(torch.rand(2, 5)), host.bias.expand(2, 3))


def test_the_function_equals_the_layer_under_one_seed():
    host, x = nn.Conv2d(2, 3, 3), torch.rand(2, 2, 6, 6)
    torch.manual_seed(1)
    expected = dropover.DropConnect(host, 0.4)(x)
    torch.manual_seed(1)
    assert torch.equal(functional.drop_connect(x, host, 0.4), expected)
    assert torch.equal(functional.drop_connect(x, host, 0.4, training=False), host(x))
    generator, state = torch.Generator(), torch.get_rng_state()
    first = functional.drop_connect(x, host, 0.4, generator=generator.manual_seed(2))
    assert torch.equal(functional.drop_connect(x, host, 0.4, generator=generator.manual_seed(2)), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_repr_copies_and_the_inner_dropout():
    layer = dropover.DropConnect(nn.Linear(5, 3), 0.25, eval_p=0.1, rescale="none")
    assert repr(layer) == (
        "DropConnect(Linear(in_features=5, out_features=3, bias=True), p=0.25, eval_p=0.1, rescale='none')"
    )
    again = eval(repr(layer), {**vars(dropover), **vars(nn)})  # noqa: S307
    assert repr(again) == repr(layer)
    x = torch.rand(2, 5)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301
        torch.manual_seed(3)
        expected = layer(x)
        torch.manual_seed(3)
        assert torch.equal(other(x), expected)
    layer.dropping.p = 0.0
    assert torch.equal(layer(x), layer.host(x))


def test_errors():
    message = (
        "host must be a torch.nn.Linear, Conv1d, Conv2d or Conv3d whose weight is a parameter of its own, got ReLU()"
    )
    for call in (dropover.DropConnect, lambda host: functional.drop_connect(torch.rand(2), host)):
        with pytest.raises(TypeError, match=re.escape(message)):
            call(nn.ReLU())
    with pytest.raises(TypeError, match="whose weight is a parameter of its own"):
        dropover.DropConnect(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    with pytest.raises(ValueError, match=r"p must be in \[0, 1\], got 2"):
        dropover.DropConnect(nn.Linear(3, 2), 2)


def test_it_is_listed_but_cannot_be_placed():
    method = METHODS.get("drop-connect")
    assert method.kind == "weights"
    assert next(iter(method.card.sources.values())).startswith("https://proceedings.mlr.press/v28/")
    assert method.settings() == {"p": 0.5, "eval_p": 0.0, "rescale": "mean"}
    with pytest.raises(
        ValueError, match=r"drop-connect acts on the weights .* wrap the layer, dropover.DropConnect\(host\)"
    ):
        method.make(8, p=0.5)
