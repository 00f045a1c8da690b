"""Spectral dropout: the transform against scipy, and which coefficients are left."""

import pytest
import torch
from scipy import fft

import dropover
from dropover.compute.cosine_transform import dct_basis, from_spectrum, to_spectrum


@pytest.mark.parametrize(
    ("shape", "dims"), [((2, 3, 7), [2]), ((2, 3, 8, 5), [2, 3]), ((1, 2, 3, 4, 6), [2, 3, 4]), ((2, 5, 1, 3), [1, 2])]
)
def test_the_transform_is_scipys(shape, dims):
    x = torch.randn(shape, dtype=torch.float64)
    expected = torch.from_numpy(fft.dctn(x.numpy(), axes=dims, norm="ortho"))
    torch.testing.assert_close(to_spectrum(x, dims), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(from_spectrum(expected, dims), x, atol=1e-12, rtol=0)


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_the_basis_is_orthonormal(size):
    basis = dct_basis(size)
    torch.testing.assert_close(basis @ basis.mT, torch.eye(size, dtype=torch.float64), atol=1e-12, rtol=0)


def test_weak_and_random_coefficients_are_zeroed_and_nothing_else(limit, z_of_rate):
    p, quantile = 0.3, 0.4
    x = torch.rand(4000, 3, 5, 4, dtype=torch.float64)
    z = torch.from_numpy(fft.dctn(x.numpy(), axes=[2, 3], norm="ortho"))
    border = torch.quantile(z.abs().flatten(1), quantile, dim=1).view(-1, 1, 1, 1)
    weak = z.abs() <= border
    layer = dropover.SpectralDropout(p, quantile)
    torch.testing.assert_close(layer.rates(x), torch.where(weak, 1.0, p))
    left = torch.from_numpy(fft.dctn(layer(x).numpy(), axes=[2, 3], norm="ortho"))
    gone = left.abs() < 1e-9
    assert gone[weak].all()
    assert abs(z_of_rate(gone[~weak], p)) < limit(1)
    assert ((p * (1 - p) / (~weak).sum()) ** 0.5 * limit(1)).item() < 0.008  # a rate that is off by 0.01 would fail
    torch.testing.assert_close(left[~gone], z[~gone] / (1 - p))


def test_strong_coefficients_keep_their_expectation(limit):
    count = 50_000
    x = torch.rand(1, 1, 3, 3, dtype=torch.float64)
    weak = dropover.SpectralDropout(0, 0.5)(x)  # without the random part: the projection on the strong ones
    y = dropover.SpectralDropout(0.4, 0.5)(x.expand(count, 1, 3, 3))
    error = limit(9) * y.std(0) / count**0.5
    assert ((y.mean(0) - weak[0]).abs() <= error + 1e-9).all()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_is_the_same_projection(layout):
    x = torch.rand(2, 3, 4, 5, dtype=torch.float64).contiguous(memory_format=layout).requires_grad_()
    y = dropover.SpectralDropout(0.2, 0.3, rescale="none")(x)
    # A projection P is its own transpose and P² = P: the gradient of <y, x> by the first factor is P x = y.
    y.backward(x.detach())
    torch.testing.assert_close(x.grad, y)
    assert not torch.equal(y, x)


def test_half_precision_is_transformed_in_float32():
    x = torch.rand(2, 3, 32, 32)
    torch.manual_seed(0)
    expected = dropover.SpectralDropout(quantile=0.1)(x.half().float())
    torch.manual_seed(0)
    y = dropover.SpectralDropout(quantile=0.1)(x.half())
    assert torch.equal(y, expected.half())
    with torch.autocast("cpu", torch.bfloat16):
        torch.manual_seed(0)
        assert torch.equal(dropover.SpectralDropout(quantile=0.1)(x.half().float()), expected)


def test_settings_and_errors():
    layer = dropover.SpectralDropout(0.2, 0.6)
    assert repr(layer) == "SpectralDropout(p=0.2, quantile=0.6)"
    layer.p = 0.3
    assert layer.rates(torch.rand(1, 2, 4, 4)).unique().tolist() == pytest.approx([0.3, 1])
    for name in ("p", "quantile"):
        with pytest.raises(ValueError, match=rf"^{name} must be in \[0, 1\], got 2$"):
            dropover.SpectralDropout(**{name: 2})
    with pytest.raises(ValueError, match=r"spectra take maps \(N, C, L\)"):
        layer(torch.rand(2, 3))
