"""Attacks that go through the classes one by one, on linear models of several classes, where all distances are known.

The distance to the boundary with a class is in closed form, or a root of one number where pixels reach the border of
[0, 1]. The nearest of the boundaries decides whether an image falls.
"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.parts.task import clean_pass
from dropover.lab.streams import generator, seeded

COUNT, SHAPE = 48, (2, 5, 5)
PIXELS = 50
MODELS = range(3)
NORMS = ["linf", "l2"]
# How much further than the nearest point FAB may end: it overshoots by a twentieth and comes back by nine tenths.
NEARLY = 1.01


class Linear(nn.Module):
    """Logits W·x + b of `classes` classes that are all some images' own; `uneven` pixels count from 1 to 10⁻⁶."""

    def __init__(self, number: int, classes: int = 5, uneven: bool = False, scale: float = 1.0) -> None:
        super().__init__()
        draws = generator(number, "linear")
        weight = torch.randn(classes, PIXELS, generator=draws)
        if uneven:
            weight = weight * 10 ** (-6 * torch.rand(PIXELS, generator=draws))
        self.weight, self.bias = scale * weight, -scale * weight.sum(1) / 2

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight.T.to(x.dtype) + self.bias.to(x.dtype)

    def distances(self, images: Tensor, labels: Tensor, norm: str) -> Tensor:
        """How far the boundary with each class is inside [0, 1], of shape (N, classes); infinite if it isn't there."""
        model, x = self.weight.double(), images.flatten(1).double()
        logits = x @ model.T + self.bias.double()
        found = torch.full(logits.shape, torch.inf, dtype=torch.float64)
        for aim in range(logits.shape[1]):
            slope = model[aim] - model[labels]
            short = logits.gather(1, labels[:, None]).squeeze(1) - logits[:, aim]
            room = torch.where(slope > 0, 1 - x, x)
            speed = torch.ones_like(slope) if norm == "linf" else slope.abs()
            low, high = torch.zeros_like(short), (room / speed.clamp_min(1e-12)).amax(1)
            reachable = (slope.abs() * room).sum(1) > short
            for _ in range(200):
                middle = (low + high) / 2
                gained = (slope.abs() * room.minimum(middle[:, None] * speed)).sum(1) >= short
                low, high = low.where(gained, middle), middle.where(gained, high)
            moved = room.minimum(high[:, None] * speed)
            way = moved.amax(1) if norm == "linf" else moved.norm(dim=1)
            found[:, aim] = way.where(reachable & (labels != aim), torch.inf)
        return found


def images_of(where: str, number: int) -> Tensor:
    drawn = torch.rand(COUNT, *SHAPE, generator=generator(number, "images"))
    return 0.3 + 0.4 * drawn if where == "inside" else drawn.mul(1.6).sub(0.3).clamp(0, 1)


def run(name: str, model: nn.Module, images: Tensor, labels: Tensor, eps: list[float], **settings: Any) -> list[Tensor]:
    return ATTACKS.get(name).run(model, images, labels, eps, generator(0, "attack"), **settings)


def length(moved: Tensor, norm: str) -> Tensor:
    return moved.flatten(1).norm(p=torch.inf if norm == "linf" else 2, dim=1)


@pytest.mark.parametrize("number", MODELS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize("where", ["inside", "anywhere"])
def test_fab_finds_the_nearest_point_of_all_boundaries(where: str, uneven: bool, norm: str, number: int) -> None:
    model, images = Linear(number, uneven=uneven), images_of(where, number)
    labels = model(images).argmax(1)
    *_, found = run("fab", model, images, labels, [1e-9, 100.0], norm=norm, steps=30)
    theory = model.distances(images, labels, norm).amin(1)
    ratio = length(found.double() - images.double(), norm) / theory
    # Nearer ones are lost in the rounding of the logits.
    told = theory > 1e-4
    assert int(told.sum()) > COUNT / 2
    assert bool((model(found).argmax(1) != labels)[told].all())
    assert float(ratio[told].min()) > 1 - 1e-3
    assert float(ratio[told].max()) < NEARLY


@pytest.mark.parametrize("number", MODELS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["apgd-t", "fab"])
def test_images_fall_exactly_where_the_nearest_class_is_in_the_ball(name: str, norm: str, number: int) -> None:
    model, images = Linear(number), images_of("inside", number)
    labels = model(images).argmax(1)
    distances = model.distances(images, labels, norm)
    middle = float(distances.amin(1).median())
    (found,) = run(name, model, images, labels, [middle], norm=norm, steps=40)
    fell = model(found).argmax(1) != labels
    assert bool(fell[distances.amin(1) < 0.98 * middle].all())
    assert not bool(fell[distances.amin(1) > 1.001 * middle].any())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["apgd-t", "fab"])
def test_it_takes_every_class_to_fell_what_the_nearest_logit_does_not(name: str, norm: str) -> None:
    class Misled(Linear):
        """The last class has the lowest logit, and yet the steepest: the nearest boundary is its own."""

        def __init__(self) -> None:
            super().__init__(0)
            self.weight[-1] *= 30
            self.bias[-1] = -self.weight[-1].sum() / 2 - 20

    model, images = Misled(), images_of("inside", 0)
    clean = model(images)
    labels = clean.argmax(1)
    distances = model.distances(images, labels, norm)
    last = distances.amin(1) == distances[:, -1]
    chosen = last & (clean.argmin(1) == 4)
    images, labels, distances = images[chosen], labels[chosen], distances[chosen]
    assert len(labels) > 5
    eps = float((1.05 * distances[:, -1]).amax())
    few = distances[:, :-1].amin(1) > 1.1 * eps
    (one,), (all_,) = (run(name, model, images, labels, [eps], norm=norm, steps=40, classes=count) for count in (3, 4))
    assert bool((model(all_).argmax(1) != labels).all())
    assert int(few.sum()) > 0
    if name == "fab":
        assert bool((model(one).argmax(1) == labels)[few].all())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["apgd-margin", "apgd-t", "fab"])
@pytest.mark.parametrize("rule", ["least-likely", "runner-up"])
def test_a_targeted_one_goes_to_its_target_alone(rule: str, name: str, norm: str) -> None:
    model, images = Linear(1), images_of("inside", 1)
    logits = model(images)
    labels = logits.argmax(1)
    ranked = logits.argsort(1, descending=True)
    wanted = ranked[:, -1] if rule == "least-likely" else ranked[:, 1]
    (found,) = run(name, model, images, labels, [1.0], norm=norm, steps=40, target=rule)
    guess = model(found).argmax(1)
    assert bool(((guess == wanted) | (guess == labels)).all()) or name != "fab"
    assert float((guess == wanted).double().mean()) > 0.8


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1e-20, 1e-3, 1e3])
def test_no_scale_of_the_logits_hides_anything_from_fab(scale: float, norm: str) -> None:
    images = images_of("anywhere", 2)
    plain, scaled = Linear(2), Linear(2, scale=scale)
    labels = plain(images).argmax(1)
    *_, one = run("fab", plain, images, labels, [1e-9, 100.0], norm=norm, steps=10)
    *_, other = run("fab", scaled, images, labels, [1e-9, 100.0], norm=norm, steps=10)
    assert torch.allclose(length(one - images, norm), length(other - images, norm), rtol=0.02, atol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["apgd-margin", "fab"])
def test_two_classes_are_enough(name: str, norm: str) -> None:
    model, images = Linear(0, classes=2), images_of("inside", 0)
    labels = model(images).argmax(1)
    distances = model.distances(images, labels, norm).amin(1)
    middle = float(distances.median())
    (found,) = run(name, model, images, labels, [middle], norm=norm, steps=30)
    fell = model(found).argmax(1) != labels
    assert bool(fell[distances < 0.98 * middle].all())
    assert not bool(fell[distances > 1.001 * middle].any())


@pytest.mark.parametrize("name", ["apgd-t", "fab"])
def test_more_classes_than_there_are_is_all_of_them(name: str) -> None:
    model, images = Linear(0), images_of("inside", 0)
    labels = model(images).argmax(1)
    (all_,), (more,) = (run(name, model, images, labels, [0.01], steps=5, classes=count) for count in (4, 1000))
    assert torch.equal(all_, more)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["apgd-margin", "apgd-t", "fab"])
def test_where_there_is_no_gradient_nothing_is_found_and_nothing_breaks(name: str, norm: str) -> None:
    class Flat(Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).detach() + 0 * x.sum()

    model, images = Flat(0), images_of("anywhere", 0)
    labels = model(images).argmax(1)
    (found,) = run(name, model, images, labels, [0.0001], norm=norm, steps=3)
    assert bool(found.isfinite().all())
    assert float(length(found - images, norm).max()) <= 0.0001 + 1e-6


@pytest.mark.parametrize("name", ["apgd-margin", "apgd-t", "fab"])
def test_images_that_were_wrong_or_none_at_all_stay(name: str) -> None:
    model, images = Linear(0), images_of("inside", 0)
    labels = (model(images).argmax(1) + 1) % 5
    (found,) = run(name, model, images, labels, [0.5], steps=3)
    assert torch.equal(found, images)
    known = clean_pass(model, images[:0])
    (none,) = ATTACKS.get(name).run(model, images[:0], labels[:0], [0.5], generator(0, "attack"), known, steps=3)
    assert none.shape == images[:0].shape


def test_fab_on_a_net_finds_what_is_as_near_as_with_more_steps() -> None:
    with seeded(0, "net"):
        net = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 30), nn.ReLU(), nn.Linear(30, 5))
    images = images_of("anywhere", 0)
    labels = net(images).argmax(1)
    lengths = []
    for steps in (10, 40):
        *_, found = run("fab", net, images, labels, [1e-9, 100.0], steps=steps)
        assert bool((net(found).argmax(1) != labels).all())
        lengths.append(length(found - images, "linf"))
    assert bool((lengths[1] <= lengths[0]).all())
