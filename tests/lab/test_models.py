"""Networks against known truth: shapes, torchvision's own net, attention written out; their settings' limits."""

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18

import dropover
from dropover.lab.models import NETWORKS
from dropover.lab.models.parts.positions import DEFAULT_POSITION, positions
from dropover.lab.streams import seeded

SMALL_VIT = {"depth": 2, "width": 16, "heads": 2}


def build(
    name: str = "small-cnn", channels: int = 1, size: int = 28, classes: int = 10, **settings: object
) -> nn.Module:
    with seeded(0, "weights"):
        return NETWORKS.get(name).build(channels, size, classes, **settings)


def shapes(
    name: str, channels: int, size: int, **settings: object
) -> dict[str, list[tuple[str, str, tuple[int, ...]]]]:
    found = positions(
        build(name, channels, size, **settings), NETWORKS.get(name).positions, torch.rand(2, channels, size, size)
    )
    return {word: [(str(at.place), at.kind, at.shape) for at in there] for word, there in found.items()}


def test_small_cnn_has_the_papers_layers() -> None:
    layers = [module for module in build().modules() if isinstance(module, nn.Conv2d | nn.Linear | nn.MaxPool2d)]
    sizes = [layer.weight.shape[0] if not isinstance(layer, nn.MaxPool2d) else "pool" for layer in layers]
    assert sizes == [32, 32, "pool", 64, 64, "pool", 200, 200, 10]
    numbers = {key.split(".")[0] for key in build().state_dict()}
    assert numbers == {"1", "4", "8", "11", "16", "19", "22"}


@pytest.mark.parametrize("batch_norm", [False, True])
def test_small_cnn_computes_what_the_papers_order_of_relu_and_pool_does(batch_norm: bool) -> None:
    ours = build(channels=3, size=20, batch_norm=batch_norm).double()
    layers = [layer for layer in ours if not isinstance(layer, nn.Identity)]
    convs = [index for index, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    # The second convolution's block, put as the papers draw it.
    start, end = convs[1], convs[2]
    block = sorted(layers[start:end], key=lambda layer: isinstance(layer, nn.MaxPool2d))
    assert [type(layer) for layer in block[-2:]] == [nn.ReLU, nn.MaxPool2d]
    theirs = nn.Sequential(*layers[:start], *block, *layers[end:])
    images, labels = torch.rand(8, 3, 20, 20, dtype=torch.float64), torch.arange(8)

    def logits_and_gradients(model: nn.Module) -> list[Tensor]:
        logits = model(images)
        weights = list(model.parameters())
        return [logits, *torch.autograd.grad(nn.functional.cross_entropy(logits, labels), weights)]

    torch.testing.assert_close(logits_and_gradients(ours), logits_and_gradients(theirs))


@pytest.mark.parametrize("name", NETWORKS.names())
@pytest.mark.parametrize(("channels", "size"), [(1, 16), (1, 28), (3, 32)])
def test_every_registered_network_maps_images_to_logits(name: str, channels: int, size: int) -> None:
    settings = SMALL_VIT if name == "vit-small" else {"width": 0.125}
    model = build(name, channels, size, 7, **settings)
    assert model(torch.rand(2, channels, size, size)).shape == (2, 7)
    assert DEFAULT_POSITION["features"] in NETWORKS.get(name).positions


def test_positions_of_small_cnn() -> None:
    maps = ("maps", (32, 8, 8))
    assert shapes("small-cnn", 1, 28, width=0.5) == {
        "conv1": [("after 'conv1'", "maps", (16, 26, 26))],
        "conv2": [("after 'conv2'", "maps", (16, 12, 12))],
        "conv3": [("after 'conv3'", "maps", (32, 10, 10))],
        "last-conv": [("after 'last-conv'", *maps)],
        "fc": [("after 'fc'", "features", (100,))],
        "features": [("after 'features'", "features", (100,))],
    }


@pytest.mark.parametrize("head", ["one", "two"])
def test_positions_of_resnet18(head: str) -> None:
    assert shapes("resnet18", 3, 32, head=head) == {
        "stage1": [("after 'layer1.0'", "maps", (64, 32, 32))],
        "stage2": [("after 'layer2.0'", "maps", (128, 16, 16))],
        "stage3": [("after 'layer3.0'", "maps", (256, 8, 8))],
        "stage4": [("after 'layer4.0'", "maps", (512, 4, 4))],
        "last-conv": [("after 'layer4'", "maps", (512, 4, 4))],
        "features": [("before 'hidden'", "features", (512,))],
        "fc": [("before 'fc'", "features", (512,))],
    }


def test_positions_of_vit_small() -> None:
    tokens, hidden = ("tokens", (49, 512)), ("tokens", (49, 2048))
    found = shapes("vit-small", 1, 28)
    each = {
        "embeddings": [("after 'embedding'", *tokens)],
        "attention": [(f"after 'blocks.{i}.attention.attn_drop'", "attention", (4, 49, 49)) for i in range(6)],
        "projection": [(f"after 'blocks.{i}.attention.projection'", *tokens) for i in range(6)],
        "mlp-hidden": [(f"after 'blocks.{i}.mlp.activation'", *hidden) for i in range(6)],
        "mlp": [(f"after 'blocks.{i}.mlp'", *tokens) for i in range(6)],
    }
    dropouts = [place for places in each.values() for place in places]
    assert found == {**each, "dropouts": dropouts, "fc": [("before 'head'", "features", (512,))]}


@pytest.mark.parametrize("name", NETWORKS.names())
def test_images_are_normalised_inside_the_model(name: str) -> None:
    model = build(name, 1, 16, **(SMALL_VIT if name == "vit-small" else {"width": 0.125})).eval()
    first = next(module for module in model.modules() if not list(module.children()))
    assert first(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1.0, 0.0, 1.0]


def test_batch_norm_follows_each_convolution_and_hidden_layer() -> None:
    norms = [
        module for module in build(batch_norm=True).modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    ]
    assert [norm.num_features for norm in norms] == [32, 32, 64, 64, 200, 200]


def test_resnet18_is_torchvisions_from_the_first_random_number_to_the_logits() -> None:
    ours = build("resnet18", 3, 64, 10).eval()
    with seeded(0, "weights"):
        theirs = resnet18(num_classes=10).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(ours(images), theirs(images * 2 - 1))


def test_resnet18_for_small_images_is_torchvisions_with_another_stem() -> None:
    ours, theirs = build("resnet18", 3, 32, 10).eval(), resnet18(num_classes=10).eval()
    theirs.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    theirs.maxpool = nn.Identity()
    theirs.load_state_dict(ours.state_dict())
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(ours(images), theirs(images * 2 - 1))


def test_resnet18_can_be_thin_and_have_a_head_of_two_layers() -> None:
    thin = build("resnet18", 1, 28, 10, width=0.125, head="two")
    widths = [module.out_channels for module in thin.modules() if isinstance(module, nn.Conv2d)]
    assert sorted(set(widths)) == [8, 16, 32, 64]
    linear = [(each.in_features, each.out_features) for each in thin.modules() if isinstance(each, nn.Linear)]
    assert linear == [(64, 64), (64, 10)]


def written_out(attention: nn.Module, x: Tensor) -> Tensor:
    """Self-attention head by head, in the order of the formula."""
    weight, bias = attention.qkv.weight, attention.qkv.bias
    heads, width = attention.heads, x.shape[-1]
    size, results = width // heads, []
    for head in range(heads):
        query, key, value = (
            x @ weight[start : start + size].T + bias[start : start + size]
            for start in (part * width + head * size for part in range(3))
        )
        results.append(torch.softmax(query @ key.transpose(1, 2) / size**0.5, 2) @ value)
    return attention.projection(torch.cat(results, 2))


def test_attention_is_the_formula_whether_fused_or_with_a_layer_on_its_weights() -> None:
    model = build("vit-small", **SMALL_VIT).double()
    attention, x = model.blocks[0].attention, torch.randn(3, 5, 16, dtype=torch.float64)
    truth = written_out(attention, x)
    assert attention.fused_attn
    torch.testing.assert_close(attention(x), truth)
    plan = dropover.insert(model, {"blocks.0.attention.attn_drop": dropover.Flipover(0.5, eval_p=0.5)})
    assert not attention.fused_attn
    assert model.blocks[1].attention.fused_attn
    torch.testing.assert_close(attention.eval()(x).shape, truth.shape)
    assert not torch.allclose(attention(x), truth)
    plan.placements[0].layer.eval_p = 0.0
    torch.testing.assert_close(attention(x), truth)
    plan.remove()
    assert attention.fused_attn


def test_vit_small_is_pre_norm_and_averages_its_tokens() -> None:
    model = build("vit-small", 3, 8, 5, patch=4, depth=1, width=8, heads=2, mlp=0.5).eval()
    images = torch.rand(2, 3, 8, 8)
    patches = (images * 2 - 1).unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 1, 4, 5).reshape(2, 4, 48)
    conv, block = model.embedding.patches, model.blocks[0]
    x = patches @ conv.weight.reshape(8, 48).T + conv.bias + model.embedding.place
    x = x + written_out(block.attention, block.attention_norm(x))
    x = x + block.mlp.output(nn.functional.gelu(block.mlp.hidden(block.mlp_norm(x))))
    assert block.mlp.hidden.out_features == 4
    torch.testing.assert_close(model(images), model.head(model.norm(x).mean(1)))


@pytest.mark.parametrize(
    ("name", "settings", "error", "said"),
    [
        ("small-cnn", {"width": 0}, ValueError, "width must be above 0"),
        ("small-cnn", {"width": 9.0}, ValueError, "width must be in"),
        ("small-cnn", {"width": "1"}, TypeError, "width must be a number"),
        ("small-cnn", {"batch_norm": 1}, TypeError, "batch_norm must be true or false, got 1"),
        ("small-cnn", {"size": 15}, ValueError, "at least 16 pixels a side, got 15"),
        ("resnet18", {"width": 0.01}, ValueError, r"width must be in \[0.015625, 8\], got 0.01"),
        ("resnet18", {"head": 2}, ValueError, "head must be one of 'one', 'two', got 2"),
        ("vit-small", {"width": 6}, ValueError, "width must be a multiple of heads, got 6 and 4"),
        ("vit-small", {"patch": 5}, ValueError, "patch must divide the 28 pixels of an image's side, got 5"),
        ("vit-small", {"depth": 1.5}, TypeError, "depth must be a whole number, got 1.5"),
        ("vit-small", {"mlp": 0}, ValueError, "mlp must leave the MLP a hidden unit, got 0 times 512"),
    ],
)
def test_settings_out_of_range_are_refused(
    name: str, settings: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        build(name, **settings)
