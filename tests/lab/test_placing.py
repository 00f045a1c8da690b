"""Layers at positions: which method fits where, one training step with each, and what a net with layers keeps."""

import copy
import re
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import dropover
from dropover.lab.data import Data
from dropover.lab.models import NETWORKS
from dropover.lab.models.parts.building import build_model
from dropover.lab.models.parts.placed_layers import (
    inference_rate,
    load_net_state,
    net_state,
    parameters_of,
    with_a_rate,
)
from dropover.lab.models.parts.placing import place
from dropover.lab.models.parts.positions import PositionError, look, places
from dropover.lab.streams import seeded
from dropover.lab.study import Study, TrainingSettings
from dropover.lab.training.loop import train
from dropover.methods import METHODS

TINY: dict[str, dict[str, Any]] = {
    "small-cnn": {"width": 0.1},
    "resnet18": {"width": 0.0625, "head": "two"},
    "vit-small": {"depth": 2, "width": 16, "heads": 2},
}
METHOD_NAMES = [method.name for method in METHODS if method.kind != "weights"]
ANYWHERE = {"biased", "dropout", "drop-path", "flipover", "gaussian", "jumpout", "max-dropout", "sap"}
SETTINGS = {"drop-block": {"block_size": 2}}
# What the papers' method names mean on each kind of position, beside those that work anywhere.
FITS = {
    "features": {"fdd1d", "guided"},
    "maps": {"crossmap", "density-flip", "drop-block", "fdd2d", "fdd3d", "guided", "spatial", "spectral-dropout"},
    "attention": set(),
}
FITS["tokens"] = FITS["features"] | FITS["maps"]
POSITIONS = [
    ("small-cnn", "last-conv", "maps"),
    ("small-cnn", "fc", "features"),
    ("resnet18", "stage4", "maps"),
    ("resnet18", "before avgpool", "maps"),
    ("resnet18", "fc", "features"),
    ("vit-small", "embeddings", "tokens"),
    ("vit-small", "attention", "attention"),
    ("vit-small", "mlp", "tokens"),
    ("vit-small", "fc", "features"),
]


def build(name: str) -> nn.Module:
    with seeded(0, "weights"):
        return NETWORKS.get(name).build(1, 24, 4, **TINY[name])


def put(model: nn.Module, name: str, at: list[str], method: str, **settings: Any) -> dropover.Plan:
    given = {**SETTINGS.get(method, {}), **settings}
    return place(model, NETWORKS.get(name).positions, at, METHODS.get(method), given, torch.rand(2, 1, 24, 24))


@pytest.mark.parametrize("method", METHOD_NAMES)
@pytest.mark.parametrize(("network", "position", "kind"), POSITIONS)
def test_every_method_trains_a_step_where_it_fits_and_is_refused_elsewhere(
    network: str, position: str, kind: str, method: str
) -> None:
    model = build(network)
    before = copy.deepcopy(model.state_dict())
    if method not in ANYWHERE | FITS[kind]:
        with pytest.raises(PositionError, match=f"^{method} is meant for {METHODS.get(method).kind}, and "):
            put(model, network, [position], method)
        assert not list(dropover.regularizers(model))
        return
    plan = put(model, network, [position], method)
    assert list(model.state_dict()) == list(before)
    parameters = parameters_of(model)
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    F.cross_entropy(model(torch.rand(6, 1, 24, 24)), torch.arange(6) % 4).backward()
    optimizer.step()
    assert all(each.isfinite().all() for each in parameters)
    if method == "guided":
        for layer in dropover.regularizers(model):
            assert not torch.equal(layer.strength, torch.ones_like(layer.strength))
    plan.remove()
    assert not list(dropover.regularizers(model))


def test_a_group_and_several_positions_get_a_layer_each_for_their_own_units() -> None:
    model = build("vit-small")
    plan = put(model, "vit-small", ["mlp", "mlp-hidden", "fc"], "guided")
    placed = [(each.side, each.names[0], each.layer.num_units) for each in plan.placements]
    assert sorted(placed) == [
        *(("after", f"blocks.{i}.mlp{end}", n) for i in range(2) for end, n in [("", 16), (".activation", 64)]),
        ("before", "head", 16),
    ]
    model = build("vit-small")
    put(model, "vit-small", ["dropouts"], "flipover")
    assert len(list(dropover.regularizers(model))) == 1 + 4 * 2


def test_density_flip_of_one_axis_goes_between_linear_layers_and_of_two_does_not() -> None:
    put(build("small-cnn"), "small-cnn", ["fc"], "density-flip", components=1)
    with pytest.raises(PositionError, match="density-flip is meant for maps, and after 'fc' there are 20 features"):
        put(build("small-cnn"), "small-cnn", ["fc"], "density-flip", components=2)


def test_features_of_tokens_are_the_units() -> None:
    model = build("vit-small")
    put(model, "vit-small", ["embeddings"], "spatial", p=0.5)
    kept: list[torch.Tensor] = []
    model.blocks.register_forward_pre_hook(lambda _module, args: kept.append(args[0]))
    model(torch.rand(3, 1, 24, 24))
    zero = kept[0] == 0
    assert zero.any()
    assert torch.equal(zero, zero[:, :1].expand_as(zero))


def test_a_layer_may_be_told_that_channels_come_last() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.turned, self.head = nn.Conv2d(1, 5, 3), nn.Identity(), nn.Linear(5, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.turned(self.conv(x).movedim(1, -1)).mean((1, 2)))

    model = Last()
    plan = place(model, {}, ["turned"], METHODS.get("spatial"), {"channel_dim": -1}, torch.rand(2, 1, 8, 8))
    assert plan.layers[0].channel_dim == -1
    with pytest.raises(ValueError, match="channel_dim must name a dimension of the input other than 0"):
        place(model, {}, ["conv"], METHODS.get("spatial"), {"channel_dim": 7}, torch.rand(2, 1, 8, 8))
    assert len(list(dropover.regularizers(model))) == 1


class Layouts(nn.Module):
    """Maps with the channels first, last and in one dimension, then tokens; and a sum, of which nothing is known."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act, self.mixed, self.summed = nn.Conv2d(1, 5, 3), nn.ReLU(), nn.Linear(5, 5), nn.Identity()
        self.line, self.norm, self.head = nn.Conv1d(5, 5, 1), nn.LayerNorm(5), nn.Linear(5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.conv(x))
        x = self.mixed(x.movedim(1, -1))
        x = self.summed(x + 1)
        x = self.line(x.flatten(1, 2).movedim(1, -1))
        return self.head(self.norm(x.movedim(1, -1)).mean(1))


@pytest.mark.parametrize(
    ("at", "kind", "channel_dim", "content"),
    [
        ("conv", "maps", 1, "5 maps of 6×6"),
        ("act", "maps", 1, "5 maps of 6×6"),
        ("before act", "maps", 1, "5 maps of 6×6"),
        ("mixed", "maps", -1, "5 maps of 6×6"),
        ("line", "maps", 1, "5 maps of 36"),
        ("norm", "tokens", -1, "36 tokens of 5 features"),
        ("head", "features", 1, "2 features"),
        ("summed", "unknown", None, "6×6×5 numbers, of which the dimension of the channels isn't known"),
    ],
)
def test_channels_are_found_where_the_modules_have_them(
    at: str, kind: str, channel_dim: int | None, content: str
) -> None:
    model, images = Layouts(), torch.rand(2, 1, 8, 8)
    (position,) = look(model, places(model, {}, [at]), images).values()
    assert (position.kind, position.channel_dim, position.content) == (kind, channel_dim, content)
    spatial = METHODS.get("spatial")
    if kind == "features":
        return
    if kind == "unknown":
        said = re.escape(
            "spatial has to know which dimension holds the channels, and after 'summed' there are 6×6×5 numbers, of "
            "which the dimension of the channels isn't known: say it, as channel_dim = 1 or channel_dim = -1 (the last)"
        )
        with pytest.raises(PositionError, match=said):
            place(model, {}, [at], spatial, {}, images)
        assert not list(dropover.regularizers(model))
        place(model, {}, [at], METHODS.get("flipover"), {}, images)
        plan = place(model, {}, [at], METHODS.get("guided"), {"channel_dim": -1}, images)
        assert plan.layers[0].num_units == 5
        return
    plan = place(model, {}, [at], spatial, {"p": 0.5}, images)
    factors: list[torch.Tensor] = []
    plan.layers[0].register_forward_hook(lambda _, args, output: factors.append(output == 0))
    plan.layers[0].register_forward_pre_hook(lambda _, args: (torch.ones_like(args[0]),))
    model(torch.rand(4, 1, 8, 8))
    hit = factors[0].movedim(channel_dim, 1).flatten(2)
    assert hit.shape[:2] == (4, 5)
    assert torch.equal(hit, hit[..., :1].expand_as(hit))


def test_what_passes_is_learnt_without_a_trace() -> None:
    model = build("resnet18").train()
    state, images, random = copy.deepcopy(model.state_dict()), torch.rand(2, 1, 24, 24), torch.get_rng_state()
    named, method = NETWORKS.get("resnet18").positions, METHODS.get("max-dropout")
    place(model, named, ["stage1", "before fc"], method, {}, images).remove()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(module.training and not module._forward_hooks for module in model.modules())
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize(
    ("network", "at", "said"),
    [
        (
            "small-cnn",
            ["fcc"],
            "no position 'fcc': did you mean 'fc'? known are conv1, conv2, conv3, last-conv, fc, features, and any",
        ),
        ("small-cnn", ["before last-con"], "did you mean 'before last-conv'?"),
        ("resnet18", ["layer4.2"], "no position 'layer4.2': did you mean 'layer4.1' or 'layer4.0'?"),
        ("resnet18", ["stage4", "layer4.0"], "'stage4' and 'layer4.0' both put a layer after 'layer4.0'"),
        ("resnet18", ["fc", "fc"], "has 'fc' twice"),
        ("vit-small", ["embedding.place"], "no position 'embedding.place'"),
    ],
)
def test_positions_that_are_none(network: str, at: list[str], said: str) -> None:
    with pytest.raises(PositionError, match=re.escape(said)):
        places(build(network), NETWORKS.get(network).positions, at)


def test_what_is_no_place_for_a_layer_is_said() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused, self.listed = nn.Identity(), nn.ModuleList([nn.Flatten()])
            self.folded, self.head = nn.Identity(), nn.Linear(64, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.listed[0](self.folded(x.reshape(1, *x.shape))[0]))

    for at, said in [
        ("unused", "the model doesn't call it"),
        ("listed", "it only holds other modules"),
        ("folded", r"a tensor of shape \(1, 2, 1, 8, 8\) passes for 2 images, which is neither maps"),
    ]:
        with pytest.raises(PositionError, match=said):
            place(Odd(), {}, [at], METHODS.get("dropout"), {}, torch.rand(2, 1, 8, 8))


def tiny_data() -> Data:
    images = torch.randint(0, 256, (32, 1, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(32) % 4
    return Data(images, labels, images[:8], labels[:8], ("a", "b", "c", "d"))


def study(network: str, **arm: Any) -> Study:
    arms = [{"method": "none"}, *([arm] if arm else [])]
    return Study.model_validate({"arms": arms, "model": {"name": network, **TINY[network]}})


@pytest.mark.parametrize("network", list(TINY))
def test_arms_of_one_seed_start_from_the_same_weights(network: str) -> None:
    chosen, data = study(network, method="guided", at=["fc"]), tiny_data()
    none, guided = (build_model(chosen, arm, 3, data) for arm in chosen.arms)
    assert all(torch.equal(value, none.state_dict()[key]) for key, value in guided.state_dict().items())
    assert len(list(dropover.regularizers(guided))) == 1


def test_learned_strengths_are_trained_kept_and_loaded() -> None:
    chosen, data = study("small-cnn", method="guided", at=["fc", "before 22"]), tiny_data()
    model = build_model(chosen, chosen.arms[1], 0, data)
    train(model, data, TrainingSettings(epochs=1, batch_size=8), 0, "guided")
    state = net_state(model)
    strengths = [layer.strength.detach() for layer in dropover.regularizers(model)]
    assert not any(torch.equal(strength, torch.ones_like(strength)) for strength in strengths)
    assert set(state) > set(model.state_dict())
    fresh = build_model(chosen, chosen.arms[1], 0, data)
    load_net_state(fresh, copy.deepcopy(state))
    images = torch.rand(3, 1, 24, 24)
    assert torch.equal(fresh.eval()(images), model.eval()(images))
    bare = build_model(chosen, chosen.arms[0], 0, data)
    with pytest.raises(ValueError, match=r"the state doesn't fit the model: .*placed"):
        load_net_state(bare, state)
    with pytest.raises(ValueError, match=r"Missing key.*strength"):
        load_net_state(fresh, net_state(bare))


def test_a_default_position_that_a_network_lacks_is_said() -> None:
    chosen = study("vit-small", method="spatial")
    with pytest.raises(
        PositionError, match="network vit-small has no position 'last-conv', where spatial goes by default"
    ):
        build_model(chosen, chosen.arms[1], 0, tiny_data())


@pytest.mark.parametrize("method", with_a_rate())
def test_a_rate_at_inference_holds_for_a_while(method: str) -> None:
    model = build("small-cnn").eval()
    at = ["fc"] if METHODS.get(method).kind == "features" else ["last-conv"]
    put(model, "small-cnn", at, method, **({"eval_p": 0.0} | SETTINGS.get(method, {})))
    images = torch.rand(64, 1, 24, 24)
    plain = model(images)
    with inference_rate(model, 0.5):
        assert not torch.equal(model(images), plain)
    assert torch.equal(model(images), plain)
    with pytest.raises(ValueError, match=r"in \[0, 1\]"), inference_rate(model, 1.5):
        pass
    assert torch.equal(model(images), plain)


def test_rates_at_inference_that_would_have_no_effect_are_refused() -> None:
    model = build("small-cnn")
    with pytest.raises(ValueError, match="the model has no layer of dropover's"), inference_rate(model, 0.1):
        pass
    put(model, "small-cnn", ["last-conv"], "fdd2d")
    put(model, "small-cnn", ["fc"], "flipover", eval_p=0.25)
    with (
        pytest.raises(ValueError, match=r"no rate at inference: methods that have one are .*dropout"),
        inference_rate(model, 0.1),
    ):
        pass
    assert [layer.eval_p for layer in dropover.regularizers(model) if isinstance(layer, dropover.Flipover)] == [0.25]
