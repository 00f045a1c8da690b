"""What is collected from inside a net, against closed forms and against independent libraries."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn
from torch.nn import functional as F

import dropover
from dropover.lab.models.parts.positions import Place
from dropover.lab.models.resnet18 import resnet18
from dropover.lab.models.small_cnn import small_cnn
from dropover.lab.models.vit_small import vit_small
from dropover.lab.probing.capturing import activations, capture, default_places
from dropover.lab.probing.grouping import GROUPS, density_groups, inverted_groups
from dropover.lab.probing.inverting import entropy, heat, invert
from dropover.lab.probing.projecting import factors, project


class Functional(nn.Module):
    """The same net as `Modules`, its ReLUs functions, one of them in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(2, 5, 3), nn.Conv2d(5, 4, 3, stride=2)
        nn.init.constant_(self.second.bias, 0.3)  # no map is without response

    def forward(self, x: Tensor) -> Tensor:
        x = torch.max_pool2d(F.relu(self.first(x)), 2)
        return self.second(x).relu_()


def as_modules(net: Functional) -> nn.Sequential:
    return nn.Sequential(net.first, nn.ReLU(), nn.MaxPool2d(2), net.second, nn.ReLU(inplace=True))


def reference(net: Functional, image: Tensor, unit: int) -> Tensor:
    """Zeiler & Fergus's deconvnet, written out: transposed convolutions, unpooling at the switches, ReLUs."""
    before_pool = F.relu(net.first(image[None]))
    pooled, switches = F.max_pool2d(before_pool, 2, return_indices=True)
    top = F.relu(net.second(pooled))
    signal = torch.zeros_like(top)
    signal[:, unit] = top[:, unit]
    height, width = pooled.shape[2:]
    over = (height - 3) % 2, (width - 3) % 2
    signal = F.conv_transpose2d(F.relu(signal), net.second.weight, stride=2, output_padding=over)
    signal = F.max_unpool2d(signal, switches, 2, output_size=before_pool.shape[2:])
    return F.conv_transpose2d(F.relu(signal), net.first.weight)[0]


def test_inverting_a_linear_net_is_the_transposed_convolution():
    conv = nn.Conv2d(3, 4, 3, padding=1).double()
    image = torch.rand(3, 7, 6, dtype=torch.float64)
    output = conv(image[None])
    found = invert(nn.Sequential(conv), Place("0", "after"), image, [2, 0])
    for row, unit in enumerate((2, 0)):
        alone = torch.zeros_like(output)
        alone[:, unit] = output[:, unit]
        torch.testing.assert_close(found[row], F.conv_transpose2d(alone, conv.weight, padding=1)[0])


def test_inverting_follows_the_deconvnet_rule_through_every_kind_of_relu_and_pooling():
    net, image = Functional().double(), torch.rand(2, 13, 12, dtype=torch.float64)
    expected = torch.stack([reference(net, image, unit) for unit in range(4)])
    assert expected.abs().sum() > 0
    torch.testing.assert_close(invert(net, Place("", "after"), image, range(4), at_once=3), expected)
    torch.testing.assert_close(invert(as_modules(net), Place("4", "after"), image, range(4)), expected)
    # Not what the true gradient would be: else the ReLUs would not have counted.
    pixels = image[None].clone().requires_grad_()
    top = net(pixels)
    (true,) = torch.autograd.grad(top[:, 0], pixels, top[:, 0].detach())
    assert not torch.allclose(true[0], expected[0], atol=1e-3)


def test_inverting_agrees_with_captum_where_it_works():
    attr = pytest.importorskip("captum.attr", exc_type=ImportError)
    net, image = as_modules(Functional()), torch.rand(2, 12, 12)

    class Weighted(nn.Module):
        """A map's sum, weighted by its activations at the image: its gradient is the signal that is led back."""

        def __init__(self) -> None:
            super().__init__()
            self.net, self.weights = net, net(image[None]).detach()

        def forward(self, x: Tensor) -> Tensor:
            return (self.net(x) * self.weights).sum((2, 3))

    with warnings.catch_warnings():
        # Captum says that it sets hooks.
        warnings.simplefilter("ignore", UserWarning)
        expected = attr.Deconvolution(Weighted()).attribute(image[None].requires_grad_(), target=1)
    torch.testing.assert_close(invert(net, Place("4", "after"), image, [1]), expected.detach())


def test_inverting_leaves_the_model_as_it_was_and_takes_reused_relus():
    net = resnet18(1, 16, 10, width=1 / 16).train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found = invert(net, Place("layer4", "after"), torch.rand(1, 16, 16), range(32))
    assert found.shape == (32, 1, 16, 16)
    assert found.abs().amax((1, 2, 3)).gt(0).any()
    assert all(module.training for module in net.modules())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert F.relu(torch.tensor([-1.0])).item() == 0


def test_inverting_says_what_it_can_not_do():
    net = Functional()
    net.unused = nn.Linear(1, 1)
    with pytest.raises(ValueError, match=r"never comes to the place after 'unused'"):
        invert(net, Place("unused", "after"), torch.rand(2, 12, 12), [0])
    assert invert(net, Place("first", "after"), torch.rand(2, 12, 12), []).shape == (0, 2, 12, 12)


def test_heat_is_the_magnitude_over_colours_with_a_maximum_of_one():
    signal = torch.tensor([[[[1.0, -3.0]], [[-1.0, 1.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]]])
    assert heat(signal).tolist() == [[[0.5, 1.0]], [[0.0, 0.0]]]


def test_entropy_of_point_masses_uniform_maps_and_halves():
    flat, uniform = torch.full((16, 16), 0.3), (torch.arange(256) / 255).reshape(16, 16)
    halves = torch.cat([torch.zeros(8, 16), torch.ones(8, 16)])
    quarter = torch.cat([torch.zeros(12, 16), torch.ones(4, 16)])
    found = entropy(torch.stack([flat, uniform, halves, quarter]))
    expected = [0.0, 8.0, 1.0, 0.25 * math.log2(4) + 0.75 * math.log2(4 / 3)]
    assert found.tolist() == pytest.approx(expected)


def test_projections_are_scikit_learns_principal_components_up_to_sign():
    maps = torch.randn(40, 6, 5) * torch.linspace(4, 0.2, 30).reshape(6, 5)
    for axes in (2, 3):
        ours = project(maps, components=axes).points.numpy()
        theirs = PCA(axes, svd_solver="full").fit_transform(maps.flatten(1).numpy())
        for one, other in zip(ours.T, theirs.T, strict=True):
            assert np.abs(np.corrcoef(one, other)[0, 1]) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        dropover.DensityDropout(2),
        dropover.SpatialDropout(0.4),
        dropover.DensityDropout(2, channel_dim=-1),
        dropover.Regularizer("channel", 0.4, dropover.Flip(0.5)),
    ],
    ids=str,
)
def test_what_a_projection_marks_is_what_the_layer_does(layer: dropover.Regularizer):
    layer.eval()
    maps = torch.rand(30, 4, 4) + 0.1
    maps[:5] = 0  # whether a dead map was hit can't be seen in the output
    found = project(maps, layer, seed=3)
    x = maps[None].movedim(1, layer.channel_dim)
    output = (x * factors(layer, x, seed=3)).movedim(layer.channel_dim, 1)[0]
    shrunk = (output <= 0).flatten(1).all(1)
    assert torch.equal(found.hit[5:], shrunk[5:])
    assert 0 < found.hit[5:].sum() < 25
    assert not layer.training
    assert torch.equal(found.rates, layer.train().rates(x)[0])
    assert torch.equal(found.hit, project(maps, layer, seed=3).hit)
    assert any(project(maps, layer, seed=each).hit[:5].any() for each in range(9))


def test_factors_are_those_of_the_very_output():
    layer, x = dropover.Flipover(0.4, 0.5), torch.randn(3, 50)
    model = nn.Sequential(layer)
    seen = capture(model, {"layer": layer}, x, regularized=True, seed=5)["layer"]
    assert torch.equal(seen.entered, x)
    torch.testing.assert_close(seen.emerged, x * factors(layer, x, seed=5))
    assert set(factors(layer, x, seed=5).unique().tolist()) == {-0.5, 1.0}


def test_a_projection_needs_a_layer_for_maps():
    with pytest.raises(TypeError, match="whole maps, got Dropout"):
        project(torch.rand(8, 4, 4), dropover.Dropout(0.5))


def test_capture_sees_evaluation_mode_and_with_regularized_only_dropovers_layers_act():
    inner = dropover.Dropout(0.5)
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(9), nn.Dropout(0.9), inner, nn.Linear(9, 4)).train()
    dropover.insert(model, {"4": ("before", dropover.Flipover(0.3))})
    images = torch.rand(11, 1, 3, 3)
    place = Place("4", "before")
    quiet = activations(model, place, images, batch_size=4)
    model.eval()
    torch.testing.assert_close(quiet, model[1](images.flatten(1)).detach())
    model.train()
    acting = activations(model, place, images, regularized=True)
    ratio = acting / quiet
    assert {round(value, 4) for value in ratio.flatten().tolist()} - {0.0, -0.0} == {2.0, -2.0}
    assert torch.equal(acting, activations(model, place, images, regularized=True))
    assert not torch.equal(acting, activations(model, place, images, regularized=True, seed=1))
    assert all(module.training for module in model.modules())
    assert model[1].num_batches_tracked == 0


def test_capture_takes_what_enters_before_a_layer_that_works_in_place():
    model = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
    images = torch.randn(5, 1, 2, 2)
    seen = capture(model, {"relu": model[1]}, images.clone())["relu"]
    assert torch.equal(seen.emerged, images.relu())


def test_capture_says_what_is_never_called():
    model, unused = nn.Sequential(nn.Flatten()), nn.Linear(2, 2)
    with pytest.raises(ValueError, match="'x' is never called"):
        capture(model, {"x": unused}, torch.rand(2, 1, 2, 2))
    assert not unused._forward_hooks


@pytest.mark.parametrize(
    ("build", "settings", "expected"),
    [
        (small_cnn, {"width": 0.1}, [Place("last-conv", "after"), Place("22", "before")]),
        (resnet18, {"width": 1 / 16}, [Place("layer4", "after"), Place("fc", "before")]),
    ],
)
def test_places_are_found_where_the_papers_put_their_layers(
    build: Any, settings: dict[str, Any], expected: list[Place]
):
    assert default_places(build(1, 28, 10, **settings), torch.rand(2, 1, 28, 28)) == expected


def test_places_in_a_transformer_are_tokens_and_in_a_linear_net_only_features():
    tokens, features = default_places(vit_small(1, 28, 10, depth=1, width=16, heads=2), torch.rand(2, 1, 28, 28))
    assert (tokens.side, features.side) == ("after", "before")
    assert default_places(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), torch.rand(2, 1, 2, 2)) == [
        Place("1", "before")
    ]


def test_density_groups_are_thirds_of_the_densities_that_there_are():
    assert density_groups(torch.tensor([0.1, 1, 0.2, 0.2, 1, 0.1])).tolist() == [0, 2, 1, 1, 2, 0]
    assert density_groups(torch.tensor([0.5, 1])).tolist() == [0, 2]
    assert density_groups(torch.ones(4)).tolist() == [1, 1, 1, 1]
    assert density_groups(torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 1])).tolist() == [0, 0, 1, 1, 2, 2]


def test_groups_hold_every_map_that_responds_the_strongest_first():
    model = small_cnn(1, 28, 10, width=0.25)
    image = torch.rand(1, 28, 28)
    found = inverted_groups(model, Place("last-conv", "after"), image)
    maps = activations(model, Place("last-conv", "after"), image[None])[0]
    assert torch.equal(found.response, maps.amax((1, 2)))
    silent = maps.amax((1, 2)) == 0
    members = [found.members(name) for name in GROUPS]
    assert sorted(torch.cat(members).tolist()) == (~silent).nonzero().flatten().tolist()
    for each in [*members, found.members("all")]:
        assert (found.response[each].diff() <= 0).all()
    torch.testing.assert_close(found.average("all"), found.heat[~silent].mean(0))
    assert found.entropy("all") == pytest.approx(float(entropy(found.heat[~silent]).mean()))


def test_maps_are_needed_to_group_them():
    with pytest.raises(ValueError, match=r"must pass after 'fc', got \(20,\) for an image"):
        inverted_groups(small_cnn(1, 28, 10, width=0.1), Place("fc", "after"), torch.rand(1, 28, 28))
