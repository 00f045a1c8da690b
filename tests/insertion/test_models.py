"""The same guarantees on models that people use, with random weights and images small enough to be quick."""

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import timm
import torch
import torchvision.models as zoo
from torch import nn

from dropover.insertion import Plan, insert, regularizers, replace
from dropover.methods.density import DensityDropout
from dropover.methods.flipover import Flipover
from dropover.methods.spatial import SpatialDropout
from dropover.uncertainty import monte_carlo


@dataclass(frozen=True)
class Case:
    make: Callable[[], nn.Module]
    positions: dict
    placed: int
    size: int = 32
    never: tuple[str, ...] = ()


def _timm_vit(**settings) -> nn.Module:
    return timm.create_model(
        "vit_tiny_patch16_224", img_size=32, depth=3, num_classes=5, attn_drop_rate=0.1, proj_drop_rate=0.1, **settings
    )


FLIP = Flipover(0.3, 0.5)
CASES = {
    "resnet18": Case(
        lambda: zoo.resnet18(num_classes=5),
        {"layer4.0": FLIP, "avgpool": ("before", DensityDropout(2)), "layer*.1.conv1": ("before", SpatialDropout(0.1))},
        6,
    ),
    "mobilenet_v3": Case(lambda: zoo.mobilenet_v3_small(num_classes=5), {nn.Hardswish: FLIP, "classifier": FLIP}, 20),
    "convnext_tiny": Case(lambda: zoo.convnext_tiny(num_classes=5), {"features.7.*": FLIP, "": FLIP}, 4),
    "swin_t": Case(
        lambda: zoo.swin_t(num_classes=5),
        {"features.*.*.attn": FLIP, "features.1.*.mlp": ("before", FLIP)},
        14,
        never=("features.1.0.attn.qkv", "features.1.0.attn.proj"),
    ),
    "vit_b_16": Case(
        lambda: zoo.vit_b_16(image_size=32, num_classes=5),
        {"encoder.layers.*.self_attention": FLIP, "encoder.layers.*.mlp": FLIP},
        24,
        never=("encoder.layers.encoder_layer_0.self_attention.out_proj",),
    ),
    "timm vit": Case(_timm_vit, {"blocks.*.attn.qkv": FLIP, "blocks.*.mlp": ("before", FLIP), "head": FLIP}, 7),
    "timm resnet": Case(lambda: timm.create_model("resnet18", num_classes=5), {"layer*.*.act2": FLIP}, 8),
}


@functools.cache
def _original(name: str) -> nn.Module:
    return CASES[name].make()


def _made(name: str) -> nn.Module:
    # Random weights take long to draw.
    return copy.deepcopy(_original(name))


@pytest.mark.parametrize("name", CASES)
def test_every_guarantee(name: str) -> None:
    case = CASES[name]
    torch.manual_seed(0)
    model, x = _made(name), torch.randn(2, 3, case.size, case.size)
    _enliven(model, torch.randn(4, 3, case.size, case.size))
    keys, state = list(model.state_dict()), {key: value.clone() for key, value in model.state_dict().items()}
    with torch.no_grad():
        clean = model(x)
        assert clean.std() > 1e-2
        _train_without_other_randomness(model)
        clean_in_training = model(x)
        model.eval()
        plan = insert(model, case.positions, example=x)
        assert len(plan.placements) == len(list(regularizers(model))) == case.placed
        assert list(model.state_dict()) == keys
        assert torch.equal(model(x), clean), "inference is untouched"
        assert (monte_carlo(model, x, samples=3).spread > 0).any(), "the layers act"
        model.load_state_dict(state)
        carried = copy.deepcopy(model)
        text = plan.to_json()
        plan.remove()
        assert not list(regularizers(model))
        assert torch.equal(model(x), clean)
        assert len(list(regularizers(carried))) == case.placed
        again = insert(model, Plan.from_json(text))
        assert again.to_json() == text
        for layer in regularizers(model):
            _silence(layer)
        _train_without_other_randomness(model)
        assert torch.equal(model(x), clean_in_training), "rate 0 is bit-identical"
        again.remove()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    for position in case.never:
        with pytest.raises(ValueError, match="would have no effect"):
            insert(model, {position: FLIP})


@torch.no_grad()
def _enliven(model: nn.Module, x: torch.Tensor) -> None:
    # With random weights some of them return next to nothing, whatever is done to them.
    for parameter in model.parameters():
        if parameter.ndim == 2 and not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    model.train()(x)
    model.eval()


def _silence(layer) -> None:
    if isinstance(layer, DensityDropout):
        layer.slope, layer.intercept = 0.0, 0.0
    else:
        layer.p = 0.0


def _train_without_other_randomness(model: nn.Module) -> None:
    # Training mode without what is random or changes in it besides our layers.
    model.train()
    for module in model.modules():
        kind = type(module).__name__
        if kind.startswith(("BatchNorm", "Dropout", "StochasticDepth", "Attention", "DropPath")):
            module.training = False


@pytest.mark.parametrize("name", ["mobilenet_v3", "swin_t", "vit_b_16", "timm vit"])
def test_their_dropout_is_replaced_and_restored(name: str) -> None:
    model = _made(name)
    keys, old = list(model.state_dict()), list(model.modules())
    plan = replace(model, nn.Dropout, lambda each: Flipover(each.p))
    assert plan.replaced
    assert not any(isinstance(module, nn.Dropout) for module in model.modules())
    assert list(model.state_dict()) == keys
    plan.remove()
    assert list(model.modules()) == old


def test_rate_zero_replacement_of_timm_stays_fused_and_bit_identical() -> None:
    model = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=5)
    x = torch.randn(2, 3, 32, 32)
    clean = model(x)
    plan = replace(model, nn.Dropout, lambda old: Flipover(old.p))
    assert torch.equal(model(x), clean)
    assert model.blocks[0].attn.fused_attn
    assert "its rate is 0: fused attention stays on" in str(plan)


@pytest.mark.parametrize("side", ["before", "after", "instead"])
def test_timm_attention_dropout_turns_the_fused_path_off(side: str) -> None:
    model, x = _timm_vit(), torch.randn(2, 3, 32, 32)
    model.eval()
    clean = model(x)
    blocks = [block.attn for block in model.blocks]
    assert all(block.fused_attn for block in blocks)
    if side == "instead":
        plan = replace(model, "blocks.1.attn.attn_drop", lambda old: Flipover(0.5, eval_p=0.5))
    else:
        plan = insert(model, {"blocks.1.attn.attn_drop": (side, Flipover(0.5, eval_p=0.5))}, example=x)
    assert [block.fused_attn for block in blocks] == [True, False, True]
    assert "fused attention turned off" in str(plan)
    assert not torch.equal(model(x), model(x))
    plan.layers[0].eval_p = 0.0
    torch.testing.assert_close(model(x), clean)
    plan.remove()
    assert all(block.fused_attn for block in blocks)
    assert torch.equal(model(x), clean)


def test_a_later_layer_keeps_the_fused_path_off() -> None:
    model = _timm_vit()
    first = insert(model, {"blocks.0.attn.attn_drop": Flipover(0.5)})
    second = insert(model, {"blocks.*.attn.attn_drop": Flipover(0.5)})
    with pytest.raises(RuntimeError, match=r"another layer at 'blocks.0.attn.attn_drop' needs the fused attention off"):
        first.remove()
    assert first.attached
    second.remove()
    first.remove()
    assert all(block.attn.fused_attn for block in model.blocks)


def test_a_failed_example_turns_the_fused_path_on_again() -> None:
    model = _timm_vit()
    with pytest.raises(ValueError, match="takes maps"):
        insert(model, {"blocks.0.attn.attn_drop": FLIP, "head": DensityDropout(2)}, example=torch.randn(1, 3, 32, 32))
    assert model.blocks[0].attn.fused_attn


def test_swin_of_timm_calls_its_softmax_only_unfused() -> None:
    model = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=56, window_size=7, depths=(1, 1), embed_dim=24, num_heads=(2, 2)
    )
    plan = insert(model, {"layers.0.blocks.0.attn.softmax": FLIP}, example=torch.randn(1, 3, 56, 56))
    assert not model.layers[0].blocks[0].attn.fused_attn
    plan.remove()


def test_functional_dropout_of_torchvision_is_named() -> None:
    model = zoo.vit_b_16(image_size=32, num_classes=5, dropout=0.1, attention_dropout=0.2)
    plan = replace(model, nn.Dropout, lambda old: Flipover(old.p))
    assert plan.notes == (
        "dropout=0.2 of MultiheadAttention at encoder.layers.encoder_layer_0.self_attention and 11 more is applied as "
        "a function and stays",
    )
