"""Layers under torch.fx and torchvision's feature extraction: leaves that go on drawing."""

import copy

import pytest
import torch
from torch import nn
from torch.fx import GraphModule, symbolic_trace

import dropover
from dropover import functional

X = torch.ones(64, 6)


class Doubled(nn.Module):
    """A host that is no leaf of a trace."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Identity()

    def forward(self, x):
        return self.inner(x) * 2


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Identity(), Doubled(), Doubled()

    def forward(self, x):
        return self.third(self.second(self.first(x))) + 0


def fresh_zeros(model, p):
    """Whether each of two calls zeroes a share `p`, and not the same one."""
    x = torch.ones(100, 100)
    first, second = model(x) == 0, model(x) == 0
    return not torch.equal(first, second) and all(abs(hit.double().mean() - p) < 0.03 for hit in (first, second))


def test_a_layer_of_a_sequential_is_a_leaf(method, acting, make_input):
    model = nn.Sequential(nn.Identity(), acting)
    traced = symbolic_trace(model)
    assert [node.target for node in traced.graph.nodes if node.op == "call_module"] == ["0", "1"]
    assert traced.state_dict().keys() == model.state_dict().keys()
    x = make_input()
    for graph in (traced, copy.deepcopy(traced)):
        for flag in (True, False):
            graph.train(flag)
            model.train(flag)
            torch.manual_seed(3)
            expected = model(x)
            torch.manual_seed(3)
            assert torch.equal(graph(x), expected)


def test_dropped_connections_are_drawn_anew():
    model = nn.Sequential(dropover.DropConnect(nn.Linear(6, 6, bias=False)))
    traced = symbolic_trace(model)
    assert not torch.equal(traced(X), traced(X))
    assert torch.equal(traced.eval()(X), model.eval()(X))


def test_the_root_itself_keeps_the_mode_of_its_trace():
    layer = dropover.Dropout(0.3)
    traced = symbolic_trace(layer)
    layer.eval()
    assert fresh_zeros(traced, 0.3)
    assert not layer.training
    assert torch.equal(symbolic_trace(layer)(X), X)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("host", ["first", "second", "third", "second.inner"])
def test_an_inserted_layer_goes_on_drawing(host, side):
    model = Net()
    dropover.insert(model, {host: (side, dropover.Dropout(0.3))})
    traced = symbolic_trace(model)
    assert isinstance(traced, GraphModule)
    assert traced.state_dict().keys() == model.state_dict().keys()
    assert fresh_zeros(traced, 0.3)
    assert fresh_zeros(copy.deepcopy(traced), 0.3)
    model.eval()
    assert torch.equal(symbolic_trace(model)(X), 4 * X)
    assert fresh_zeros(traced.train(), 0.3)  # whatever the model's own mode is by now


def test_several_inserted_layers_are_not_mixed_up():
    model = Net()
    dropover.insert(model, {"second": dropover.Dropout(1.0), "third": dropover.Flipover(1.0)})
    assert torch.equal(symbolic_trace(model)(X), 0 * X)
    dropover.insert(Net(), {"second": dropover.Flipover(1.0)})
    other = Net()
    dropover.insert(other, {"second": dropover.Flipover(1.0), "third": dropover.Flipover(1.0, 0.5)})
    assert torch.equal(symbolic_trace(other)(X), 2 * X)


def test_torchvision_extracts_features_behind_inserted_layers():
    torchvision = pytest.importorskip("torchvision")
    from torchvision.models.feature_extraction import create_feature_extractor

    model = torchvision.models.resnet18(num_classes=4)
    dropover.insert(model, {"layer1.0": dropover.SpatialDropout(0.4), "relu": dropover.Dropout(0.2)})
    keys = set(model.state_dict())
    extractor = create_feature_extractor(model, ["layer1.1", "flatten"])
    assert set(extractor.state_dict()) <= keys
    x = torch.randn(2, 3, 32, 32)
    first, second = extractor.train()(x), extractor(x)
    assert not torch.equal(first["flatten"], second["flatten"])
    first, second = extractor.eval()(x), extractor(x)
    assert torch.equal(first["flatten"], second["flatten"])
    assert first["layer1.1"].shape == (2, 64, 8, 8)
    assert torch.equal(first["flatten"], torch.flatten(model.eval().avgpool(features(model, x)), 1))


def features(model, x):
    x = model.maxpool(model.relu(model.bn1(model.conv1(x))))
    return model.layer4(model.layer3(model.layer2(model.layer1(x))))


def jagged(*lengths):
    return torch.nested.nested_tensor(
        [torch.rand(length, 4) + 1 for length in lengths], layout=torch.jagged, requires_grad=True
    )


@pytest.mark.parametrize(
    "layer", [dropover.Dropout(0.3), dropover.Flipover(0.3), dropover.GaussianDropout(), dropover.Jumpout()], ids=repr
)
def test_jagged_tensors_pass_through_elementwise_layers(layer):
    x = jagged(300, 500)
    torch.manual_seed(1)
    y = layer(x)
    torch.manual_seed(1)
    assert torch.equal(y.values(), layer(x.values()))
    assert (x + y).shape == x.shape  # of the same ragged structure
    (gradient,) = torch.autograd.grad(y.values().sum(), x)
    torch.testing.assert_close(gradient.values() * x.values(), y.values())
    assert layer.eval()(x) is x
    layer.train()


def test_jagged_tensors_meet_functions_and_schedules():
    x = jagged(300, 500)
    assert abs((functional.dropout(x, 0.4).values() == 0).double().mean() - 0.4) < 0.06
    layer = dropover.Dropout(dropover.LinearSchedule(0.0, 1.0))
    assert layer(x) is x
    dropover.advance(layer, 1.0)
    assert (layer(x).values() == 0).all()


@pytest.mark.parametrize(
    ("layer", "x", "says"),
    [
        (
            dropover.SpatialDropout(0.5),
            jagged(2, 3),
            r"input must not be nested for Channel\(\) units: they ask for samples of one shape",
        ),
        (dropover.DropPath(0.5), jagged(2, 3), r"input must not be nested for Sample\(\) units: they ask for"),
        (dropover.BiasedDropout(), jagged(2, 3), "input must not be nested for rates=MagnitudeRates"),
        (dropover.DropBlock(0.1, 2), jagged(2, 3), r"input must not be nested for rates=.* with draw=Blocks\(size=2\)"),
        (
            dropover.Dropout(),
            jagged(2, 3).transpose(1, 2),
            "must be contiguous and of layout torch.jagged, got one that is not contiguous",
        ),
        (
            dropover.Dropout(),
            torch.nested.nested_tensor([torch.ones(2)]),
            "of layout torch.jagged, got a contiguous one of layout torch.strided",
        ),
    ],
    ids=["channels", "samples", "magnitudes", "blocks", "not contiguous", "strided"],
)
def test_other_nested_input_is_refused(layer, x, says):
    with pytest.raises(ValueError, match=says):
        layer(x)
