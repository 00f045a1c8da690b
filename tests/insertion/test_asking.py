"""The plan says where a layer takes the channels; what was said is kept, and what isn't known is asked."""

import copy
import functools
import re
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision.models as zoo
from torch import Tensor, nn

import dropover
from dropover import DensityDropout, Dropout, DropPath, Flipover, Plan, SpatialDropout, insert, replace
from dropover.insertion.hosts import keeps_channels

from .hosts import Residual, encoder_layer


def at(model: nn.Module, position: str, *, side: str = "after", example: Any = None, **settings: Any) -> str:
    """What the plan's table says of the channels; the model is as it was."""
    plan = insert(model, {position: (side, SpatialDropout(0.5, **settings))}, example=example)
    channels = plan.placements[0].channels
    assert str(channels) in str(plan)
    plan.remove()
    return str(channels)


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
