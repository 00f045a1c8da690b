"""Dtype, shape and memory layout come out as they went in."""

import hypothesis
import pytest
import torch
from hypothesis import strategies as st

import dropover

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]


def laid_out(x, layout):
    """`x` with the same values in another place in memory."""
    if layout == "channels last":
        return x.movedim(1, -1).contiguous().movedim(-1, 1)
    if layout == "permuted":
        return x.movedim(0, -1).contiguous().movedim(-1, 0)
    if layout == "sliced":
        return torch.cat([x, x], -1)[..., : x.shape[-1]]
    if layout == "transposed":
        return x.transpose(1, -1).contiguous().transpose(1, -1)
    return x


LAYOUTS = ["contiguous", "channels last", "permuted", "sliced", "transposed"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_dtype_shape_and_strides_are_kept(acting, make_input, dtype, layout):
    x = laid_out(make_input(dtype=dtype), layout)
    for layer in (acting, type(acting)(**{**acting.settings(), "rescale": "layer"}).train(acting.training)):
        y = layer(x)
        assert (y.dtype, y.shape) == (x.dtype, x.shape)
        assert y.stride() == torch.empty_like(x).stride()
        assert y.isfinite().all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rates_do_not_depend_on_the_layout(acting, make_input, layout):
    x = make_input()
    torch.testing.assert_close(acting.rates(laid_out(x, layout)), acting.rates(x))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("of_gradient", LAYOUTS)
def test_the_gradient_meets_the_mask_of_the_forward_pass(acting, make_input, layout, of_gradient):
    x = laid_out(make_input(samples=8), layout).requires_grad_()
    y = acting(x)
    gradient = laid_out(torch.rand(y.shape), of_gradient)
    y.backward(gradient)
    if isinstance(acting, dropover.SpectralDropout):
        return  # no factor per element; test_spectral says what its gradient is
    strength = acting.strength.detach() if isinstance(acting, dropover.GuidedDropout) else None
    if strength is None:  # every layer is x times a factor that no gradient flows through
        torch.testing.assert_close(x.grad, (y / x).detach() * gradient)
    else:
        assert torch.equal(x.grad == 0, y == 0)


@pytest.mark.parametrize("effect", [dropover.Zero(), dropover.Flip(0.5), dropover.Noise(0.5)])
def test_an_expanded_input_gets_a_mask_of_full_size(effect):
    x = torch.ones(1, 8, 1, 1).expand(16, 8, 5, 5)
    y = dropover.Regularizer("element", 0.5, effect)(x)
    assert y.shape == x.shape
    assert len({tuple(row.flatten().tolist()) for row in y}) == 16
    assert y[0, 0].unique().numel() > 1


def test_masks_follow_channels_last_memory():
    # The same key hits the same places in memory, so that neither layout pays for being reordered.
    x = torch.ones(2, 3, 4, 5)
    torch.manual_seed(0)
    plain = dropover.Dropout()(x)
    torch.manual_seed(0)
    last = dropover.Dropout()(x.contiguous(memory_format=torch.channels_last))
    assert torch.equal(last.permute(0, 2, 3, 1).flatten(), plain.flatten())


SHAPES = st.lists(st.integers(0, 5), max_size=5).map(tuple)


@hypothesis.given(SHAPES, st.sampled_from(DTYPES), st.floats(0, 1), st.sampled_from(["zero", "flip", "noise"]))
def test_any_shape_goes_through_elementwise_methods(shape, dtype, p, effect):
    x = torch.rand(shape).to(dtype) + 0.5
    layer = dropover.Regularizer("element", p, effect, rescale="none")
    y = layer(x)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    if effect == "zero":
        assert ((y == 0) | (y == x)).all()
    if effect == "flip":
        assert ((y == -x) | (y == x)).all()
    assert layer.rates(x).shape == x.shape


@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (0, 3), (3, 0, 2)])
def test_scalars_vectors_and_nothing(shape):
    x = torch.ones(shape)
    layers = [dropover.Dropout(), dropover.Flipover(), dropover.GaussianDropout(), dropover.BiasedDropout()]
    for layer in [*layers, dropover.StochasticActivationPruning().eval()]:
        assert layer(x).shape == shape
        assert layer.rates(x).shape == shape


@hypothesis.given(
    st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 4), st.integers(1, 4)),
    st.permutations(range(4)),
    st.sampled_from(["element", "channel", "position", "sample"]),
)
def test_a_unit_is_hit_as_one_in_every_layout(shape, order, units):
    inverse = [order.index(dim) for dim in range(4)]
    x = torch.ones([shape[dim] for dim in order]).permute(inverse)
    y = dropover.Regularizer(units, 0.5, "zero", rescale="none")(x)
    alike = {"element": y, "channel": y[:, :, :1, :1], "position": y[:, :1], "sample": y[:, :1, :1, :1]}[units]
    assert torch.equal(y, alike.expand_as(y))
    assert y.stride() == torch.empty_like(x).stride() or 1 in shape
