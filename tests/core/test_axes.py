"""Leading axes and the rates that follow from them, against an exact float64 decomposition."""

import pytest
import torch
from sklearn.decomposition import PCA

from dropover.compute import kernels
from dropover.compute.density import crowding, principal_projections, relative_density
from dropover.compute.eigenvectors import leading_axes

BINS = {1: 25, 2: 5, 3: 3}
SIZES = [(512, 16), (64, 16), (16, 64), (256, 49), (128, 100), (96, 196), (300, 4)]


def spectrum(kind, size):
    ranks = torch.arange(size, dtype=torch.float64)
    if kind == "slow":
        return 1.1**-ranks
    if kind == "steep":
        return 1.5**-ranks
    if kind == "activations":
        return (1 + ranks) ** -1.5
    return torch.cat([torch.tensor([30.0], dtype=torch.float64), 1.3 ** -ranks[:-1]])  # dominant


def maps(kind, units, variables, count, seed=0):
    """Maps with the given spectrum along random axes; "activations" are rectified."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, units, variables, generator=generator, dtype=torch.float64)
    axes = torch.linalg.qr(torch.randn(count, variables, variables, generator=generator, dtype=torch.float64)).Q
    x = (normal * spectrum(kind, variables).sqrt()) @ axes.mT
    return x.relu() if kind == "activations" else x


def agreement(kind, components):
    """For every unit of maps whose leading eigenvalues are 5 % apart: does its relative density equal the exact one?"""
    equal = []
    for units, variables in SIZES:
        for sample in maps(kind, units, variables, 8).float().double():  # rounding of the input is not at stake
            exact = PCA(min(components + 1, units, variables), svd_solver="full").fit(sample.numpy())
            values = torch.tensor(exact.explained_variance_)
            if ((values[:-1] / values[1:])[:components] < 1.05).any():
                continue
            projected = torch.tensor(exact.transform(sample.numpy())[:, :components]).unsqueeze(0)
            expected = relative_density(projected, BINS[components])
            found = crowding(sample.float().unsqueeze(0), components, BINS[components])
            equal.append((found - expected).abs() < 1e-6)
    return torch.cat(equal, dim=1).flatten().double()


@pytest.mark.parametrize("compiled", [True, False])
def test_rates_equal_those_of_exact_axes(compiled, monkeypatch):
    """One unit that rounding moves over a border changes the rates of two cells, so equality comes by whole samples."""
    if not compiled:
        monkeypatch.setattr(kernels, "serving", lambda *_: None)
    elif kernels.load("crowding") is None:
        pytest.skip("numba is not installed")
    kinds = [(kind, components) for kind in ("slow", "steep", "activations", "dominant") for components in (2, 3)]
    equal = torch.cat([agreement(kind, components) for kind, components in kinds])
    assert equal.numel() > 50_000
    assert equal.mean() >= 0.998, f"{equal.mean():.4%}"


@pytest.mark.parametrize("size", [2, 16, 64, 65, 150])
def test_close_eigenvalues_give_a_basis_of_their_subspace(size):
    """Two equal leading eigenvalues: no axis is the right one, but the plane is."""
    generator = torch.Generator().manual_seed(size)
    basis = torch.linalg.qr(torch.randn(8, size, size, generator=generator, dtype=torch.float64)).Q
    values = torch.cat([torch.ones(2, dtype=torch.float64), torch.full((size - 2,), 0.8, dtype=torch.float64)])
    axes = leading_axes(((basis * values) @ basis.mT).float(), 2).double()
    torch.testing.assert_close(axes.mT @ axes, torch.eye(2, dtype=torch.float64).expand(8, 2, 2), atol=1e-4, rtol=0)
    inside = basis[..., :2].mT @ axes
    torch.testing.assert_close(
        inside.square().sum((1, 2)), torch.full((8,), 2.0, dtype=torch.float64), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("size", [1, 3, 64, 65, 300])
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 1e30])
def test_rank_one_and_zero(size, scale):
    axis = torch.randn(4, size, 1, generator=torch.Generator().manual_seed(1))
    axis = axis / axis.norm(dim=1, keepdim=True)
    found = leading_axes(axis @ axis.mT * scale, min(2, size))
    assert found.isfinite().all()
    if scale:
        torch.testing.assert_close((found[..., :1].mT @ axis).abs(), torch.ones(4, 1, 1), atol=1e-5, rtol=0)
    else:
        assert (found == 0).all()


@pytest.mark.parametrize(("units", "variables"), [(1, 3136), (2048, 1), (70, 3136), (2048, 70), (3, 2), (300, 400)])
def test_extreme_sizes_are_finite(units, variables):
    x = torch.rand(2, units, variables, generator=torch.Generator().manual_seed(2))
    for dtype in (torch.float32, torch.bfloat16):
        projected = principal_projections(x.to(dtype), 3)
        assert projected.shape == (2, units, 3)
        assert projected.isfinite().all()


def test_the_axes_do_not_touch_the_generator():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    leading_axes(torch.eye(100).expand(2, 100, 100), 2)
    assert torch.equal(torch.get_rng_state(), before)
