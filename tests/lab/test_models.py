"""Networks: their shape, their named positions, and layers put there."""

import pytest
import torch
from torch import nn

from dropover.lab.models import NETWORKS
from dropover.lab.models.slots import DEFAULT_POSITION, Position, Slot, place, positions
from dropover.lab.streams import seeded


def build(channels: int = 1, size: int = 28, classes: int = 10, **settings: object) -> nn.Module:
    with seeded(0, "weights"):
        return NETWORKS.get("small-cnn").build(channels, size, classes, **settings)


def test_small_cnn_has_the_papers_layers() -> None:
    layers = [module for module in build().modules() if isinstance(module, nn.Conv2d | nn.Linear | nn.MaxPool2d)]
    sizes = [layer.weight.shape[0] if not isinstance(layer, nn.MaxPool2d) else "pool" for layer in layers]
    assert sizes == [32, 32, "pool", 64, 64, "pool", 200, 200, 10]


@pytest.mark.parametrize(("channels", "size"), [(1, 16), (1, 28), (3, 32)])
def test_every_registered_network_maps_images_to_logits(channels: int, size: int) -> None:
    for network in NETWORKS:
        model = network.build(channels, size, 7)
        assert model(torch.rand(2, channels, size, size)).shape == (2, 7)
        assert {position.kind for position in positions(model).values()} == {"maps", "features"}
        assert all(name in positions(model) for name in DEFAULT_POSITION.values())


def test_positions_say_what_really_passes_through() -> None:
    model = build(width=0.5)
    seen = {}
    for module in model.modules():
        if isinstance(module, Slot):
            module.register_forward_hook(lambda slot, _in, out: seen.update({slot.name: out.shape}))
    model(torch.rand(2, 1, 28, 28))
    assert positions(model) == {
        "last-conv": Position("maps", 32),
        "fc": Position("features", 100),
        "features": Position("features", 100),
    }
    assert seen == {"last-conv": (2, 32, 8, 8), "fc": (2, 100), "features": (2, 100)}


def test_images_are_normalised_inside_the_model() -> None:
    first = next(iter(build().children()))
    assert first(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1.0, 0.0, 1.0]


def test_batch_norm_follows_each_convolution_and_hidden_layer() -> None:
    norms = [
        module for module in build(batch_norm=True).modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    ]
    assert [norm.num_features for norm in norms] == [32, 32, 64, 64, 200, 200]


@pytest.mark.parametrize("position", ["fc", "features", "last-conv"])
def test_placing_keeps_state_dict_keys_and_acts(position: str) -> None:
    model, images = build(), torch.rand(4, 1, 28, 28)
    keys, before = list(model.state_dict()), model(images)
    place(model, position, nn.Threshold(1e9, 0.0))
    assert list(model.state_dict()) == keys
    assert not torch.equal(model(images), before)


def test_an_identity_placed_changes_nothing_and_fills_the_place() -> None:
    model, images = build(), torch.rand(4, 1, 28, 28)
    before = model(images)
    place(model, "fc", nn.Identity())
    assert torch.equal(model(images), before)
    with pytest.raises(ValueError, match="'fc' already holds Identity"):
        place(model, "fc", nn.Identity())


def test_an_unknown_position_suggests_the_closest() -> None:
    with pytest.raises(ValueError, match=r"no position 'fcc': did you mean 'fc'\? known are last-conv, fc, features"):
        place(build(), "fcc", nn.Identity())


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"width": 0}, ValueError, "width must be above 0"),
        ({"width": 9.0}, ValueError, "width must be in"),
        ({"width": "1"}, TypeError, "width must be a number"),
        ({"batch_norm": 1}, TypeError, "batch_norm must be true or false, got 1"),
        ({"size": 15}, ValueError, "at least 16 pixels a side, got 15"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        build(**settings)
