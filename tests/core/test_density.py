"""Density against scikit-learn's principal axes and a plain loop over the paper's steps, in float64."""

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from sklearn.decomposition import PCA

import dropover
from dropover.compute import kernels
from dropover.compute.density import principal_projections, relative_density


@pytest.fixture(autouse=True, params=["compiled", "by torch's operations"])
def _with_and_without_kernels(request, monkeypatch):
    if request.param != "compiled":
        monkeypatch.setattr(kernels, "serving", lambda *_: None)
    elif kernels.load("crowding") is None:
        pytest.skip("numba is not installed")


def random_maps(*shape, seed=0):
    """Maps whose variances along the axes are well apart, and whose mean is not 0."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.linspace(1, 0.1, shape[-1], dtype=torch.float64)
    return torch.randn(shape, generator=generator, dtype=torch.float64) * scale + 3


def reference_density(maps, components, bins):
    """The specification's steps 1 to 3 for one sample (U, D), one unit at a time; also how near a border units lie."""
    if maps.shape[1] == 1:
        projected = maps
    else:
        centred = maps - maps.mean(axis=0)
        axes = np.linalg.svd(centred, full_matrices=False)[2][:components]
        projected = centred @ axes.T
    cells, nearest = [], np.inf
    for component in projected.T:
        low, high = component.min(), component.max()
        width = (high - low) / bins
        place = (component - low) / width
        inner = place[(place > 0.5) & (place < bins - 0.5)]
        nearest = min(nearest, np.abs(inner - np.round(inner)).min(initial=1))
        cells.append([min(max(int(np.floor(value)), 0), bins - 1) for value in place])
    cells = list(zip(*cells, strict=True))
    counts = np.array([cells.count(cell) for cell in cells])
    return counts / counts.max(), nearest


@pytest.mark.parametrize("shape", [(40, 9), (9, 40), (16, 16), (64, 3)])
@pytest.mark.parametrize("components", [1, 2, 3])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_projections_are_the_principal_ones(shape, components, dtype):
    maps = random_maps(3, *shape)
    projected = principal_projections(maps.to(dtype), components)
    assert projected.shape == (3, shape[0], components)
    assert projected.dtype == dtype
    tolerance = 1e-9 if dtype == torch.float64 else 1e-3
    for sample, found in zip(maps, projected, strict=True):
        expected = PCA(components, svd_solver="full").fit_transform(sample.numpy())
        found = found.double().numpy()
        # Order, sign and length carry no meaning: match each of ours with the most similar of theirs.
        cosines = (found / np.linalg.norm(found, axis=0)).T @ (expected / np.linalg.norm(expected, axis=0))
        assert np.allclose(np.sort(np.abs(cosines).max(axis=0)), 1, atol=tolerance)
        assert sorted(np.abs(cosines).argmax(axis=1)) == list(range(components))


@pytest.mark.parametrize("shape", [(48, 16), (20, 36), (64, 1), (12, 2)])
@pytest.mark.parametrize("components", [1, 2, 3])
@pytest.mark.parametrize("bins", [1, 3, 5, 25])
def test_rates_follow_the_specification(shape, components, bins):
    if components > min(shape):
        return
    compared = 0
    for seed in range(6):
        maps = random_maps(*shape, seed=seed)
        density, nearest = reference_density(maps.numpy(), components, bins)
        if nearest < 1e-4:
            continue  # a unit on a border may fall to either side
        compared += 1
        units = dropover.Channel().on(maps.float().unsqueeze(0).unsqueeze(-1))
        rates = dropover.DensityRates(components, bins)(units)
        assert np.allclose(rates[0], 0.9 - 0.8 * density, atol=1e-6), seed
    assert compared >= 3


def test_features_are_binned_as_they_are():
    features = torch.tensor([[0.0, 0.05, 0.1, 0.12, 5.3, 10.0]])
    density = relative_density(principal_projections(features.unsqueeze(2), 1), 25)
    assert density.tolist() == [[1.0, 1.0, 1.0, 1.0, 0.25, 0.25]]
    rates = dropover.DensityDropout(1).rates(features)
    torch.testing.assert_close(rates, 0.9 - 0.8 * density)


def test_the_greatest_value_falls_in_the_last_bin():
    features = torch.tensor([[0.0, 0.96, 1.0]])
    assert relative_density(features.unsqueeze(2), 2).tolist() == [[0.5, 1.0, 1.0]]


@pytest.mark.parametrize(("components", "bins"), [(1, 25), (2, 5), (3, 3)])
def test_default_bins(components, bins):
    x = random_maps(2, 30, 4, 4).float()
    expected = dropover.DensityDropout(components, bins).rates(x)
    assert torch.equal(dropover.DensityDropout(components).rates(x), expected)
    assert not torch.equal(dropover.DensityDropout(components, bins + 2).rates(x), expected)


@hypothesis.given(
    st.permutations([0, 1, 2]), st.lists(st.sampled_from([-1.0, 1.0]), min_size=3, max_size=3), st.floats(0.01, 100)
)
def test_sign_order_and_length_of_axes_do_not_matter(order, signs, length):
    projected = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    other = projected[:, :, list(order)] * torch.tensor(signs, dtype=torch.float64) * length
    assert torch.equal(relative_density(other, 3), relative_density(projected, 3))


@pytest.mark.parametrize("components", [1, 2, 3])
def test_scale_and_offset_do_not_matter(components):
    x = random_maps(2, 24, 6, seed=2)
    layer = dropover.DensityDropout(components)
    expected = layer.rates(x)
    for other in (x * 1e30, x * 1e-30, -x, x + 5):
        torch.testing.assert_close(layer.rates(other), expected)
    for scale in (1e30, 1e-30):
        torch.testing.assert_close(layer.rates((x * scale).float()), layer.rates(x.float()))


SEEDED = torch.Generator().manual_seed(8)


def rand(*shape):
    return torch.rand(shape, generator=SEEDED)


def randn(*shape):
    return torch.randn(shape, generator=SEEDED)


AWKWARD = {
    "zero": torch.zeros(2, 8, 4, 4),
    "constant": torch.full((2, 8, 4, 4), 0.7),
    "constant maps": torch.arange(8.0).view(1, 8, 1, 1).expand(2, 8, 4, 4),
    "equal maps": rand(2, 1, 4, 4).expand(2, 8, 4, 4),
    "rank one": rand(2, 8, 1, 1) * rand(2, 1, 4, 4),
    "rank one, wide": rand(2, 4, 1) * rand(2, 1, 64),
    "huge": randn(2, 8, 4, 4) * 1e30,
    "at the border of float32": randn(2, 8, 4, 4).clamp(-1, 1) * 3e38,
    "tiny": randn(2, 8, 4, 4) * 1e-30,
    "subnormal": randn(2, 8, 4, 4) * 1e-42,
    "one outlier": torch.cat([torch.full((2, 1, 16), 1e20), rand(2, 7, 16)], 1),
    "infinite": torch.cat([torch.full((2, 1, 16), float("inf")), rand(2, 7, 16)], 1),
    "not a number": torch.cat([torch.full((2, 1, 16), float("nan")), rand(2, 7, 16)], 1),
    "bfloat16": randn(2, 8, 4, 4).bfloat16(),
    "float16": randn(2, 8, 4, 4).half(),
    "D = 1": rand(2, 8, 1),
    "D = 2": rand(2, 8, 2),
    "C = 1": rand(2, 1, 4, 4),
    "C = 2": rand(2, 2, 4, 4),
    "C = D = 1": rand(2, 1, 1),
}


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("components", [1, 2, 3])
def test_awkward_inputs_give_rates_within_their_bounds(name, components):
    x = AWKWARD[name]
    layer = dropover.DensityDropout(components)
    rates = layer.rates(x)
    assert rates.min() >= 0.1 - 1e-6
    assert rates.max() < 0.9
    assert (rates.amin(1) <= 0.1 + 1e-6).all()  # the fullest cell of each sample
    y = layer(x)
    assert y.dtype == x.dtype
    if x.isfinite().all() and name != "at the border of float32":
        assert y.isfinite().all()


@pytest.mark.parametrize("name", ["zero", "constant", "equal maps"])
def test_maps_that_are_all_alike_are_one_crowd(name):
    rates = dropover.DensityDropout(2).rates(AWKWARD[name])
    torch.testing.assert_close(rates, torch.full_like(rates, 0.1))


def test_a_rank_one_input_is_binned_along_its_only_axis():
    for x in (AWKWARD["rank one"], AWKWARD["rank one, wide"]):
        weight = x.flatten(2).sum(2)
        expected = dropover.DensityDropout(1, 5).rates(weight)
        torch.testing.assert_close(dropover.DensityDropout(2, 5).rates(x), expected)


def test_tokens_have_features_as_units():
    tokens = torch.rand(3, 20, 32)
    tokens[:, :, ::3] *= 0.01
    moved = dropover.DensityDropout(2).rates(tokens.movedim(-1, 1).contiguous())
    last = dropover.DensityDropout(2, channel_dim=-1)
    torch.testing.assert_close(last.rates(tokens), moved)
    hit = last(tokens + 1) == 0
    assert torch.equal(hit.any(1), hit.all(1))


@pytest.mark.parametrize(("slope", "intercept"), [(-0.8, 0.9), (0.8, 0.1), (0.0, 0.3), (-0.8, 0.8), (1.0, 0.0)])
def test_slope_and_intercept(slope, intercept):
    x = random_maps(2, 30, 16).float()
    density = (0.9 - dropover.DensityDropout(2).rates(x)) / 0.8
    rates = dropover.DensityDropout(2, slope=slope, intercept=intercept).rates(x)
    torch.testing.assert_close(rates, slope * density + intercept)


def test_autocast_does_not_lower_the_precision():
    x = random_maps(2, 40, 16).float()
    expected = dropover.DensityDropout(2).rates(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(dropover.DensityDropout(2).rates(x), expected)
