"""What derivatives flow through, and what is kept for them. tests/guarantees checks every method's."""

import pytest
import torch
from torch.autograd import gradcheck

import dropover


def seeded(layer, seed=11):
    """The layer as a function: the same mask at every call."""

    def function(*inputs):
        torch.manual_seed(seed)
        return layer(*inputs)

    return function


def test_strengths_have_the_right_derivative():
    layer = dropover.GuidedDropout(5, 0.4).double()
    x = torch.rand(3, 5, dtype=torch.float64)

    def of_strength(strength):
        torch.manual_seed(1)
        return torch.func.functional_call(layer, {"rule.strength": strength}, (x,))

    strength = torch.tensor([0.5, 0.8, 0.9, 1.3, 1.5], dtype=torch.float64, requires_grad=True)
    assert gradcheck(of_strength, (strength,))
    of_function = lambda t: (torch.manual_seed(1), dropover.functional.guided_dropout(x, t, 0.4))[1]  # noqa: E731
    assert gradcheck(of_function, (strength,))
    assert torch.equal(of_function(strength), of_strength(strength))


def test_vmap_hits_with_the_right_rate(limit, z_of_rate):
    x = torch.ones(64, 1000)
    for randomness, layer in (("different", dropover.Dropout(0.3)), ("different", dropover.SpatialDropout(0.3))):
        y = torch.vmap(lambda row, layer=layer: layer(row.unsqueeze(0)), randomness=randomness)(x)
        assert abs(z_of_rate(y == 0, 0.3)) < limit(2)


def test_per_sample_gradients_by_vmap_of_grad():
    layer = dropover.Dropout(0.5, rescale="none")
    x = torch.ones(8, 100)
    found = torch.vmap(torch.func.grad(lambda row: layer(row).sum()), randomness="different")(x)
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert len({tuple(row.tolist()) for row in found}) == 8


def kept_for_backward(layer, x):
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        layer(x)
    return kept


@pytest.mark.parametrize("layer", [dropover.Dropout(), dropover.Flipover(), dropover.Flipover(0.2, 0.0)], ids=repr)
@pytest.mark.parametrize("channels_last", [False, True])
def test_nothing_but_the_key_is_kept(layer, channels_last):
    x = torch.rand(4, 8, 16, 16)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    kept = kept_for_backward(layer, x.requires_grad_())
    assert [(tensor.dtype, tensor.shape) for tensor in kept] == [(torch.int64, ())]


@pytest.mark.parametrize(
    "layer", [dropover.SpatialDropout(), dropover.DensityDropout(), dropover.CrossmapDropout()], ids=repr
)
def test_coarse_units_keep_no_more_than_their_number(layer):
    x = torch.rand(4, 8, 16, 16, requires_grad=True)
    units = layer.rates(x).numel()
    assert sum(tensor.numel() for tensor in kept_for_backward(layer, x)) <= 2 * units + 1


def test_no_gradient_reaches_the_rates(acting, make_input):
    x = make_input().requires_grad_()
    assert not acting.rates(x).requires_grad


def test_inference_mode_and_no_grad(acting, make_input):
    x = make_input()
    expected = seeded(acting)(x)
    with torch.inference_mode():
        assert torch.equal(seeded(acting)(x), expected)
    with torch.no_grad():
        y = seeded(acting)(x)
    assert torch.equal(y, expected)
    assert not y.requires_grad
