"""Channels and samples are where a layer takes them, whatever it is put beside; where that isn't known, it is asked."""

import copy
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision.models as zoo
from torch import Tensor, nn

import dropover
from dropover import DensityDropout, Dropout, DropPath, Flipover, GuidedDropout, Plan, SpatialDropout, insert, replace
from dropover.insertion.channels import keeps_channels


@dataclass(frozen=True)
class Host:
    """A module, what it takes for (samples, steps, channels), and which dimensions of its output hold what."""

    make: Callable[[int], nn.Module]
    take: Callable[[int, int, int], tuple[Tensor, ...]]
    samples: int = 0
    channels: int = -1


def tokens(n: int, t: int, c: int) -> tuple[Tensor, ...]:
    return (torch.rand(n, t, c),)


def time_first(n: int, t: int, c: int) -> tuple[Tensor, ...]:
    return (torch.rand(t, n, c),)


def features(n: int, t: int, c: int) -> tuple[Tensor, ...]:
    return (torch.rand(n, c),)


def grids(n: int, t: int, c: int) -> tuple[Tensor, ...]:
    return (torch.rand(n, t, 3, c),)


def maps(dims: int) -> Callable[[int, int, int], tuple[Tensor, ...]]:
    return lambda n, t, c: (torch.rand(n, c, *[t] * dims),)


def words(n: int, t: int, c: int) -> tuple[Tensor, ...]:
    return (torch.arange(n * t).reshape(n, t) % 7,)


def twice(take: Callable[[int, int, int], tuple[Tensor, ...]]) -> Callable[[int, int, int], tuple[Tensor, ...]]:
    return lambda n, t, c: take(n, t, c) * 2


def thrice(take: Callable[[int, int, int], tuple[Tensor, ...]]) -> Callable[[int, int, int], tuple[Tensor, ...]]:
    return lambda n, t, c: take(n, t, c) * 3


def encoder_layer(c: int, **settings: Any) -> nn.TransformerEncoderLayer:
    return nn.TransformerEncoderLayer(c, 2, 9, 0.0, **settings)


def decoder_layer(c: int, **settings: Any) -> nn.TransformerDecoderLayer:
    return nn.TransformerDecoderLayer(c, 2, 9, 0.0, **settings)


FIRST = {"batch_first": True}
HOSTS = {
    "Linear": Host(lambda c: nn.Linear(c, c), tokens),
    "Linear of (N, C)": Host(lambda c: nn.Linear(c, c), features),
    "Linear of (N, H, W, C)": Host(lambda c: nn.Linear(c, c), grids),
    "Bilinear": Host(lambda c: nn.Bilinear(c, c, c), twice(tokens)),
    "LayerNorm": Host(nn.LayerNorm, tokens),
    "RMSNorm": Host(nn.RMSNorm, tokens),
    "Embedding": Host(lambda c: nn.Embedding(7, c), words),
    "EmbeddingBag": Host(lambda c: nn.EmbeddingBag(7, c), words),
    **{
        f"{kind.__name__}{of}": Host(lambda c, kind=kind, s=settings: kind(c, c, **s), take, samples)
        for kind in (nn.RNN, nn.GRU, nn.LSTM)
        for of, settings, take, samples in [("", {}, time_first, 1), (" (N, T, C)", FIRST, tokens, 0)]
    },
    "GRU of both directions": Host(lambda c: nn.GRU(c, c, 2, bidirectional=True), time_first, 1),
    "GRUCell": Host(lambda c: nn.GRUCell(c, c), features),
    **{
        f"{kind}{of}": Host(lambda c, make=make, s=settings: make(c, s), several(take), samples)
        for kind, make, several in [
            ("MultiheadAttention", lambda c, s: nn.MultiheadAttention(c, 2, **s), thrice),
            ("TransformerEncoderLayer", lambda c, s: encoder_layer(c, **s), lambda take: take),
            ("TransformerDecoderLayer", lambda c, s: decoder_layer(c, **s), twice),
            (
                "TransformerEncoder",
                lambda c, s: nn.TransformerEncoder(encoder_layer(c, **s), 2, enable_nested_tensor=False),
                lambda take: take,
            ),
            ("TransformerDecoder", lambda c, s: nn.TransformerDecoder(decoder_layer(c, **s), 2), twice),
        ]
        for of, settings, take, samples in [("", {}, time_first, 1), (" (N, T, C)", FIRST, tokens, 0)]
    },
    "activation after Linear": Host(lambda c: nn.Sequential(nn.Linear(c, c), nn.Dropout(0.0), nn.ELU()), tokens),
    "activation before Linear": Host(lambda c: nn.Sequential(nn.ELU(), nn.Sequential(nn.Linear(c, c))), tokens),
    "block for tokens": Host(lambda c: Residual(nn.Linear(c, c), nn.LayerNorm(c)), tokens),
    "block for maps": Host(lambda c: Residual(nn.Conv2d(c, c, 1), nn.BatchNorm2d(c)), maps(2), 0, 1),
    "BasicBlock": Host(lambda c: zoo.resnet.BasicBlock(c, c), maps(2), 0, 1),
    "Bottleneck": Host(lambda c: zoo.resnet.Bottleneck(c, c // 4), maps(2), 0, 1),
    "Conv1d": Host(lambda c: nn.Conv1d(c, c, 3, padding=1), maps(1), 0, 1),
    "Conv2d": Host(lambda c: nn.Conv2d(c, c, 3, padding=1), maps(2), 0, 1),
    "Conv3d": Host(lambda c: nn.Conv3d(c, c, 1), maps(3), 0, 1),
    "ConvTranspose2d": Host(lambda c: nn.ConvTranspose2d(c, c, 2), maps(2), 0, 1),
    "BatchNorm1d": Host(nn.BatchNorm1d, maps(1), 0, 1),
    "BatchNorm2d": Host(nn.BatchNorm2d, maps(2), 0, 1),
    "InstanceNorm2d": Host(nn.InstanceNorm2d, maps(2), 0, 1),
    "GroupNorm": Host(lambda c: nn.GroupNorm(2, c), maps(2), 0, 1),
    "MaxPool2d": Host(lambda c: nn.MaxPool2d(2), maps(2), 0, 1),
    "AvgPool1d": Host(lambda c: nn.AvgPool1d(2), maps(1), 0, 1),
    "AdaptiveAvgPool2d": Host(lambda c: nn.AdaptiveAvgPool2d(2), maps(2), 0, 1),
    "Upsample": Host(lambda c: nn.Upsample(scale_factor=2), maps(2), 0, 1),
    "activation after a convolution": Host(lambda c: nn.Sequential(nn.Conv1d(c, c, 1), nn.SiLU()), maps(1), 0, 1),
    "LayerNorm2d of torchvision": Host(zoo.convnext.LayerNorm2d, maps(2), 0, 1),
    "LayerNorm2d of timm": Host(timm.layers.LayerNorm2d, maps(2), 0, 1),
    "LayerNorm of timm": Host(timm.layers.LayerNorm, tokens),
    "RmsNorm of timm": Host(timm.layers.RmsNorm, tokens),
    "Swin block": Host(
        lambda c: zoo.swin_transformer.SwinTransformerBlock(c, 2, [2, 2], [0, 0]),
        lambda n, t, c: (torch.rand(n, 4, 6, c),),
    ),
    "ViT block of timm": Host(lambda c: timm.models.vision_transformer.Block(c, 2), tokens),
}  # fmt: skip
SIZES = [(5, 7, 16), (8, 8, 8)]


class Residual(nn.Module):
    """A block with a forward of its own."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.layers:
            y = layer(y)
        return x + y


def first(output: Any) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


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


def at(model: nn.Module, position: str, *, side: str = "after", example: Any = None, **settings: Any) -> str:
    """What the plan's table says of the channels; the model is as it was."""
    plan = insert(model, {position: (side, SpatialDropout(0.5, **settings))}, example=example)
    channels = plan.placements[0].channels
    assert str(channels) in str(plan)
    plan.remove()
    return str(channels)


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


class Net(nn.Module):
    """One activation that is called in the middle, and one block."""

    def __init__(self, first: nn.Module, turn: bool = False) -> None:
        super().__init__()
        self.first, self.act, self.turn = first, nn.ReLU(inplace=True), turn

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.act(x.transpose(1, 2) if self.turn else x)


def test_an_activation_is_asked_about_unless_an_example_shows_what_it_gets() -> None:
    linear, conv, turned = Net(nn.Linear(6, 6)), Net(nn.Conv1d(4, 4, 1)), Net(nn.Linear(6, 6), turn=True)
    x = torch.rand(3, 4, 6)
    assert at(linear, "act", example=x) == "-1 (Linear 'first')"
    assert at(conv, "act", example=x) == "1 (Conv1d 'first')"
    said = re.escape(
        "SpatialDropout after 'act' (ReLU): which dimension of an input of shape (3, 6, 4) holds the channels can't be "
        "known from the model; say it, as SpatialDropout(..., channel_dim=-1) for (N, T, C) or "
        "SpatialDropout(..., channel_dim=1) for (N, C, T)"
    )
    with pytest.raises(ValueError, match=said):
        insert(turned, {"act": SpatialDropout(0.5)}, example=x)
    assert not list(dropover.regularizers(turned))
    plan = insert(turned, {"act": SpatialDropout(0.5)})
    assert "asked for" in str(plan)
    for flag in (True, False):
        with pytest.raises(ValueError, match=said):
            turned.train(flag)(x)
    plan.remove()
    assert at(turned, "act", channel_dim=1, example=x) == "1 (given)"
    assert at(turned, "act", channel_dim=-1, example=x) == "-1 (given)"


def test_nothing_is_asked_where_it_makes_no_difference() -> None:
    model = Net(nn.Linear(6, 6), turn=True)
    for layer in (Dropout(0.5), Flipover(0.5), DropPath(0.5), nn.Dropout(0.5)):
        plan = insert(model, {"act": layer}, example=torch.rand(3, 4, 6))
        assert plan.placements[0].channels is None
        plan.remove()
    features = Net(nn.Linear(6, 6))
    insert(features, {"act": SpatialDropout(0.5)})
    assert (features(torch.rand(3, 6)) == 0).any()


def test_a_dimension_that_was_said_is_kept_though_it_is_the_default() -> None:
    assert not SpatialDropout().knows_channels
    assert SpatialDropout(channel_dim=1).knows_channels
    assert SpatialDropout().channel_dim == SpatialDropout(channel_dim=1).channel_dim == 1
    model = nn.Linear(6, 6)
    assert at(model, "", channel_dim=1) == "1 (given)"
    assert at(model, "") == "-1 (Linear)"
    layer = SpatialDropout(0.5)
    insert(model, {"": layer})
    assert not layer.knows_channels, "the copy was told, not the layer itself"
    layer.channel_dim = 1
    assert "channel_dim=1" in repr(layer)
    layer.channel_dim = None
    assert "channel_dim" not in repr(layer)


def test_parts_of_a_layer_are_told_as_well() -> None:
    model, layer = nn.Linear(6, 6), nn.Sequential(SpatialDropout(0.5), Flipover(0.1), DensityDropout(channel_dim=1))
    [placed] = insert(model, {"": layer}).layers
    assert [each.channel_dim for each in placed] == [-1, 1, 1]


def test_a_block_is_believed_only_where_what_passes_fits() -> None:
    model = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=1, num_classes=5)
    insert(model, {"patch_embed": SpatialDropout(0.5)})
    with pytest.raises(ValueError, match=r"after 'patch_embed' \(PatchEmbed\): which dimension of an input of shape"):
        model(torch.rand(2, 3, 64, 64))

    class Turning(Residual):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).movedim(1, -1)

    block, x = Turning(nn.Conv2d(8, 8, 1)), torch.rand(2, 8, 4, 4)
    insert(block, {"": SpatialDropout(0.5)})
    with pytest.raises(ValueError, match=r"which dimension of an input of shape \(2, 4, 4, 8\) holds the channels"):
        block(x)
    block = Turning(nn.Linear(8, 8))
    insert(block, {"": SpatialDropout(0.5)})
    with pytest.raises(ValueError, match=r"which dimension of an input of shape \(2, 8, 4\) holds the channels"):
        block(torch.rand(2, 4, 8))


@functools.cache
def zoo_model(name: str) -> nn.Module:
    return getattr(zoo, name)(num_classes=5)  # its weights take long to draw


@pytest.mark.parametrize(
    ("name", "position", "without", "shown"),
    [
        ("resnet18", "layer2", "1 (all parts of BasicBlock 'layer2.1')", "1"),
        ("resnet18", "layer2.1.relu", "asked for", "1"),
        ("convnext_tiny", "features.0", "1 (LayerNorm2d 'features.0.1')", "1"),
        ("convnext_tiny", "features.1.0", "asked for", "1"),
        ("convnext_tiny", "features.1.0.block.4", "-1 (Linear 'features.1.0.block.3')", "-1"),
        ("swin_t", "features.0", "-1 (LayerNorm 'features.0.2')", "-1"),
        ("swin_t", "features.7", "-1 (all parts of SwinTransformerBlock 'features.7.1')", "-1"),
        ("swin_t", "permute", "asked for", "1"),
        ("densenet121", "features.denseblock1", "1 (all parts of _DenseBlock)", "1"),  # its branches are concatenated
    ],
)
def test_models_that_people_use(name: str, position: str, without: str, shown: str) -> None:
    model = zoo_model(name)
    assert at(model, position) == without
    assert at(model, position, example=torch.rand(1, 3, 64, 64)).split()[0] == shown


def test_a_norm_over_several_dimensions_and_a_subclass_of_unknown_layout_tell_nothing() -> None:
    class Mine(nn.LayerNorm):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.movedim(1, -1)).movedim(-1, 1)

    for model in (nn.LayerNorm((6, 4, 4)), Mine(6)):
        insert(model, {"": SpatialDropout(0.5)})
        with pytest.raises(
            ValueError, match=r"channel_dim=-1\) for \(N, H, W, C\) or .*channel_dim=1\) for \(N, C, H, W\)"
        ):
            model(torch.rand(2, 6, 4, 4))


def test_places_of_a_shared_module_must_agree() -> None:
    shared = nn.ReLU()
    disagreeing = nn.Sequential(nn.Conv1d(6, 6, 1), shared, nn.Flatten(0, 0), nn.Linear(4, 4), shared)
    assert at(disagreeing, "1") == "asked for"
    assert at(disagreeing, "1", example=torch.rand(2, 6, 4), channel_dim=1) == "1 (given)"
    with pytest.raises(ValueError, match="after '1'"):
        insert(disagreeing, {"1": SpatialDropout(0.5)}, example=torch.rand(2, 6, 4))
    agreeing = nn.Sequential(nn.Linear(4, 4), shared, nn.Linear(4, 4), shared)
    assert at(agreeing, "1").startswith("-1 ")


def test_the_dimension_survives_json() -> None:
    x = torch.rand(3, 4, 6)
    model = nn.Sequential(Net(nn.Linear(6, 6)), nn.GRU(6, 6))
    positions = {
        "0.act": SpatialDropout(0.5),
        "0.first": SpatialDropout(0.5, channel_dim=1),
        "0": ("before", Flipover(0.5)),
        "1": DensityDropout(2),
    }
    plan = insert(model, positions, example=x)
    twin = copy.deepcopy(model)
    plan.remove()
    again = insert(model, Plan.from_json(plan.to_json()))
    assert [str(each.channels) for each in again.placements] == [
        "None",
        "1 (given)",
        "-1 (Linear '0.first')",
        "-1 (GRU)",
    ]
    assert str(again).splitlines()[:6] == str(insert(twin, plan)).splitlines()[:6]
    assert again.to_json() == plan.to_json()
    blocks = nn.Sequential(Residual(nn.Conv2d(8, 8, 1)))
    loaded = Plan.from_json(insert(blocks, {"0": SpatialDropout(0.5)}).to_json())
    fresh = nn.Sequential(Residual(nn.Conv2d(8, 8, 1)))
    insert(fresh, loaded)
    fresh(torch.rand(2, 8, 4, 4))
    fresh[0].forward = lambda x: x.movedim(1, -1)
    with pytest.raises(ValueError, match="holds the channels can't be known"):
        fresh(torch.rand(2, 8, 4, 4))


def test_a_model_with_samples_in_dimension_1_is_noted() -> None:
    model = nn.ModuleDict({"emb": nn.Embedding(7, 6), "gru": nn.GRU(6, 6), "conv": nn.Conv1d(6, 6, 1)})
    plan = insert(model, {"emb": SpatialDropout(0.5), "gru": SpatialDropout(0.5), "conv": SpatialDropout(0.5)})
    note = "samples are taken from dimension 0 at 'emb'; 'gru' (GRU, batch_first=False) has them in dimension 1"
    assert plan.notes == (note,)
    assert f"note: {note}" in str(plan)
    assert not insert(model, {"emb": Flipover(0.5)}).notes
    assert not insert(nn.ModuleDict({"emb": nn.Embedding(7, 6)}), {"emb": SpatialDropout(0.5)}).notes


def test_replacements_are_told_or_refused() -> None:
    model = nn.Sequential(nn.Conv2d(6, 6, 1), nn.Dropout2d(0.2), nn.Flatten(2), nn.Linear(4, 6), nn.Dropout(0.3))
    plan = replace(model, nn.Dropout2d, SpatialDropout)
    assert str(plan.placements[0].channels) == "1 (Dropout2d)"
    plan = replace(model, nn.Dropout, SpatialDropout)
    assert str(plan.placements[0].channels) == "-1 (Linear '3')"
    assert model[4].channel_dim == -1
    assert "-1 (Linear '3')" in str(plan)
    again = insert(
        nn.Sequential(*[copy.deepcopy(each) for each in model[:4]], nn.Dropout(0.3)), Plan.from_json(plan.to_json())
    )
    assert str(again.placements[0].channels) == "-1 (Linear '3')"
    layer = encoder_layer(8, batch_first=True)
    assert str(replace(layer, "dropout1", SpatialDropout(0.1)).placements[0].channels) == "-1 (TransformerEncoderLayer)"
    unknown = Net(nn.Linear(6, 6))
    with pytest.raises(
        ValueError, match=r"SpatialDropout instead of 'act' \(ReLU\): which dimension of what passes there holds"
    ):
        replace(unknown, "act", SpatialDropout(0.1))
    assert isinstance(unknown.act, nn.ReLU)
    replace(unknown, "act", SpatialDropout(0.1, channel_dim=-1))
    with pytest.raises(ValueError, match=r"the samples are dimension 1 there, since batch_first=False.*insert\(\) it"):
        replace(encoder_layer(8), "dropout1", SpatialDropout(0.1))
    replace(encoder_layer(8), "dropout1", Flipover(0.1))


def test_compiled_in_one_graph() -> None:
    torch.compiler.reset()
    model = nn.Sequential(nn.Linear(6, 6), Residual(nn.Linear(6, 6)))
    insert(model, {"0": SpatialDropout(0.5), "1": SpatialDropout(0.5)})
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    factor = compiled(torch.rand(3, 4, 6)) == 0
    assert factor.any()
    assert torch.equal(factor, factor[:, :1].expand_as(factor))


def test_what_keeps_the_channels_keeps_the_shape() -> None:
    for module in (nn.ReLU(), nn.GELU(), nn.Dropout(0.1), nn.Identity(), nn.PReLU(), nn.Softmax(-1), nn.Sequential()):
        assert keeps_channels(module)
        assert module(torch.rand(2, 3, 4)).shape == (2, 3, 4)
    assert not keeps_channels(nn.GLU())
    assert not keeps_channels(nn.Flatten())


def test_the_table_in_the_docs_is_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[2] / "docs" / "insertion.md").read_text()
    [(code, printed)] = re.findall(r"```python\n([^`]*?print\(plan\)\n)```\n\n```text\n(.*?)```", text, re.DOTALL)
    exec(code, {"torch": torch, "dropover": dropover})  # noqa: S102  # our own
    assert capsys.readouterr().out == printed
