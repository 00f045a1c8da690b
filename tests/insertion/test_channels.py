"""Whatever a layer is put beside, it takes channels and samples where they are."""

import pytest
import torch
from torch import nn

import dropover
from dropover import DensityDropout, Dropout, DropPath, Flipover, GuidedDropout, SpatialDropout, insert

from .hosts import FIRST, HOSTS, encoder_layer, first

SIZES = [(5, 7, 16), (8, 8, 8)]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("name", HOSTS)
def test_what_is_dropped_is_a_channel_of_a_sample(name: str, sizes: tuple[int, int, int]) -> None:
    host = HOSTS[name]
    model, args = host.make(sizes[2]), host.take(*sizes)
    clean = first(model(*args))
    plan = insert(model, {"": SpatialDropout(0.5)})
    factor = first(model(*args)) / clean
    by_unit = factor.movedim((host.samples, host.channels), (0, 1))
    by_unit = by_unit.reshape(*by_unit.shape[:2], -1)
    assert by_unit.shape[0] == sizes[0]
    alive = by_unit.isfinite()  # of a ReLU's zeros nothing can be told
    least = by_unit.where(alive, torch.inf).amin(-1)
    torch.testing.assert_close(least, by_unit.where(alive, -torch.inf).amax(-1))
    hit = least == 0
    assert hit.any()
    assert not hit.all()
    assert (hit != hit[:1]).any(), "each sample has its own"
    assert (hit != hit[:, :1]).any(), "each channel has its own"
    assert plan.placements[0].channels.dim == (1 if host.channels == 1 else -1)
    plan.remove()
    torch.testing.assert_close(first(model(*args)), clean)


@pytest.mark.parametrize(
    "name", [name for name in HOSTS if name not in ("EmbeddingBag", "GRUCell") and "(N, C)" not in name]
)
def test_a_density_is_taken_over_the_channels_of_a_sample(name: str) -> None:
    host, (n, t, c) = HOSTS[name], (5, 7, 16)
    model = host.make(c)
    clean = first(model(*host.take(n, t, c)))
    [layer] = insert(model, {"": DensityDropout(2)}).layers
    shapes: list[tuple[int, ...]] = []
    layer.register_forward_pre_hook(lambda layer, args: shapes.append(tuple(layer.rates(args[0]).shape)))
    model(*host.take(n, t, c))
    assert shapes == [(n, clean.shape[host.channels])]


@pytest.mark.parametrize("name", [name for name, host in HOSTS.items() if host.channels == 1])
def test_maps_are_treated_as_by_the_layer_itself(name: str) -> None:
    host = HOSTS[name]
    for layer in (SpatialDropout(0.5), DensityDropout(2), GuidedDropout(16)):
        model, passed = host.make(16), []
        [placed] = insert(model, {"": layer}).layers
        placed.register_forward_hook(lambda _, args, output, passed=passed: passed.append((args[0], output)))
        torch.manual_seed(3)
        found = model(*host.take(5, 7, 16))
        [(entered, left)] = passed
        torch.manual_seed(3)
        host.take(5, 7, 16)  # draws what it drew before
        assert torch.equal(left, layer(entered))
        assert torch.equal(found, left)


@pytest.mark.parametrize("samples_first", [True, False])
def test_what_is_within_a_transformer_has_its_layout(samples_first: bool) -> None:
    model = nn.TransformerEncoder(encoder_layer(8, batch_first=samples_first), 1, nn.LayerNorm(8), False)
    x = torch.rand(*((3, 5) if samples_first else (5, 3)), 8)
    for position in ("layers.0.linear1", "layers.0.norm1", "layers.0.dropout1", "layers.0.self_attn", "norm"):
        plan = insert(model, {position: SpatialDropout(0.5)})
        shapes: list[int] = []
        plan.layers[0].register_forward_pre_hook(lambda layer, args, shapes=shapes: shapes.append(args[0].shape[0]))
        model(x)
        assert shapes == [3], position
        assert plan.layers[0].channel_dim == -1
        assert ("samples are dimension 1" in str(plan)) is not samples_first
        plan.remove()


def test_a_sequence_by_itself_is_one_sample() -> None:
    for model in (nn.GRU(16, 16), nn.GRU(16, 16, batch_first=True), encoder_layer(16), encoder_layer(16, **FIRST)):
        x = torch.rand(7, 16)
        clean = first(model(x))
        for layer in (SpatialDropout(0.5), DropPath(0.5)):
            plan = insert(model, {"": layer})
            factor = first(model(x)) / clean
            torch.testing.assert_close(factor, factor[:1].expand_as(factor))
            plan.remove()


def test_every_method_that_looks_at_samples_gets_them() -> None:
    model, x = nn.GRU(6, 6), torch.rand(5, 3, 6)
    clean, _ = model(x)
    insert(model, {"": DropPath(0.5)})
    for _ in range(4):
        factor = model(x)[0] / clean
        torch.testing.assert_close(factor, factor[:1, :, :1].expand_as(factor))
    assert dropover.DropPath().uses_samples
    assert dropover.BiasedDropout().uses_samples
    assert not Dropout(0.5).uses_samples
    assert not Flipover(0.5).uses_samples


def test_a_layer_before_a_host_takes_its_layout_too() -> None:
    for host, x, samples, channels in [
        (nn.Linear(6, 2), torch.ones(3, 4, 6), 0, 2),
        (nn.GRU(6, 2), torch.ones(4, 3, 6), 1, 2),
        (nn.Conv1d(6, 2, 1), torch.ones(3, 6, 4), 0, 1),
    ]:
        plan, taken = insert(host, {"": ("before", SpatialDropout(0.5))}), []
        host.register_forward_pre_hook(lambda _, args, taken=taken: taken.append(args[0]))
        host(x)
        by_unit = taken[0].movedim((samples, channels), (0, 1))
        assert by_unit.shape[:2] == (3, 6)
        assert torch.equal(by_unit, by_unit[..., :1].expand_as(by_unit))
        plan.remove()
