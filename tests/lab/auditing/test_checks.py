"""The checks of gradients, order, convergence and randomness: each fails on what is planted, sound nets pass all."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dropover.lab.auditing.budgets import BUDGETS
from dropover.lab.auditing.checks import CHECKS, Checked, in_order, made
from dropover.lab.auditing.curves import AGAINST_EPS, draw_curves
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.randomness import with_draws
from dropover.lab.auditing.subject import Subject, opened

FAMILIES = ("randomness", "gradients", "order", "convergence")
COUNT, CLASSES, EPS = 80, 4, 0.1


@cache
def drawn(seed: int) -> tuple[Tensor, Tensor]:
    """Blurred spots in one of four corners, with noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(COUNT) % CLASSES
    images = 0.3 * torch.rand(COUNT, 1, 8, 8, generator=generator) + 0.2
    for image, label in zip(images, labels.tolist(), strict=True):
        top, left = 4 * (label // 2), 4 * (label % 2)
        image[0, top : top + 4, left : left + 4] += 0.3 * torch.rand(4, 4, generator=generator)
    return images, labels


@cache
def net(seed: int, adversarial: bool = False) -> nn.Module:
    """A small convolutional net, trained in a second."""
    images, labels = drawn(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 32), nn.ReLU(), nn.Linear(32, 4)
        )
        adam = torch.optim.Adam(model.parameters(), 5e-3)
        for _ in range(60):
            x = images
            if adversarial:
                x = images.clone().requires_grad_()
                (slope,) = torch.autograd.grad(F.cross_entropy(model(x), labels), x)
                x = images + EPS * torch.rand_like(images) * slope.sign()
            adam.zero_grad()
            torch.autograd.backward(F.cross_entropy(model(x), labels))
            adam.step()
    return model.eval()


@contextmanager
def audited(
    model: nn.Module, seed: int, norm: str = "linf", labels: Tensor | None = None, eps: float = EPS
) -> Iterator[tuple[Subject, Evidence]]:
    """What checks are given, after the white-box attacks."""
    images, right = drawn(seed)
    with opened(
        model,
        images,
        right if labels is None else labels,
        eps if norm == "linf" else 6 * eps,
        norm,
        seed,
        BUDGETS["quick"],
    ) as subject:
        subject = with_draws(subject)
        evidence = Evidence.of_clean(subject)
        for planned in subject.budget.attacks[:2]:
            which = evidence.standing
            with evidence.attempt(subject, planned.label, planned.role):
                found = subject.attacked(which, planned.label, planned.attack, **planned.settings)
                evidence.take(subject, which, found, planned.label)
        yield subject, evidence


def checked(model: nn.Module, seed: int, name: str) -> Checked:
    with audited(model, seed) as (subject, evidence):
        return made(CHECKS.get(name), subject, evidence)


class Around(nn.Module):
    """A net with something before it and after it."""

    def __init__(self, inner: nn.Module, before: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.before, self.after = inner, before, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.inner(self.before(x)))


def same(x: Tensor) -> Tensor:
    return x


class Backwards(torch.autograd.Function):
    """The identity, whose gradient points the other way."""

    @staticmethod
    def forward(_context: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(_context: Any, *slopes: Tensor) -> Tensor:
        return -slopes[0]


def rounded(x: Tensor) -> Tensor:
    return (3 * x).round() / 3


def straight_through(x: Tensor) -> Tensor:
    return x + (rounded(x) - x).detach()


def rippled(x: Tensor) -> Tensor:
    """Jumps up and down by a few hundredths within a tenth of ε."""
    return x + 0.1 * (3000 * x).sin()


def refined(model: nn.Module, x: Tensor) -> Tensor:
    with torch.enable_grad():
        point = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(model(point).amax(1).sum(), point)
    return x + 0.01 * slope.sign()


def abstaining(logits: Tensor) -> Tensor:
    return torch.cat([logits, logits[:, :1] - 5], 1)


def backwards(x: Tensor) -> Tensor:
    return Backwards.apply(x)  # type: ignore[no-any-return]


PLANTED: dict[str, tuple[Callable[[nn.Module], nn.Module], str]] = {
    "zero gradient": (lambda model: Around(model, rounded, same), "gradients there"),
    "cut off": (lambda model: Around(model, Tensor.detach, same), "gradients there"),
    "not a number": (lambda model: Around(model, same, lambda z: z + 0 * z.detach() / 0), "gradients there"),
    "backwards": (lambda model: Around(model, backwards, same), "gradients foretell"),
    "straight through": (lambda model: Around(model, straight_through, same), "gradients foretell"),
    "large logits": (lambda model: Around(model, same, lambda z: 1e4 * z), "logit scale"),
    "probabilities": (lambda model: Around(model, same, lambda z: z.softmax(1)), "logits"),
    "abstains": (lambda model: Around(model, same, abstaining), "outputs are the classes"),
    "jagged": (lambda model: Around(model, rippled, same), "not jagged"),
    "rounded": (lambda model: Around(model, rounded, same), "no ball, no image stands"),
    "optimizes": (lambda model: Around(model, lambda x: refined(model, x), same), "no optimizing in inference"),
    "mostly noise": (lambda model: Around(model, lambda x: x * torch.randn_like(x).sign(), same), "draws averaged"),
}


@pytest.mark.parametrize("plant", PLANTED)
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_planted_is_found(plant: str, seed: int) -> None:
    mask, name = PLANTED[plant]
    found = checked(mask(net(seed)), seed, name)
    assert found.passed is False, found.said


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("adversarial", [False, True])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_sound_net_passes_every_check(seed: int, adversarial: bool, norm: str) -> None:
    with audited(net(seed, adversarial), seed, norm, eps=EPS / 2) as (subject, evidence):
        failed = [each for each in in_order() if each.family in FAMILIES and not made(each, subject, evidence).passed]
    assert [each.name for each in failed] == []


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float64])
def test_a_sound_net_passes_in_any_precision(kind: torch.dtype) -> None:
    with audited(copy.deepcopy(net(0)).to(kind), 0) as (subject, evidence):
        failed = [each for each in in_order() if each.family in FAMILIES and not made(each, subject, evidence).passed]
    assert [each.name for each in failed] == []


def test_what_checks_do_only_ever_lowers_the_figure_and_pictures_are_drawn() -> None:
    with audited(net(0), 0) as (subject, evidence):
        for check in in_order():
            before, margins = evidence.stands.clone(), evidence.margin.clone()
            if check.family in FAMILIES:
                made(check, subject, evidence)
            assert not (evidence.stands & ~before).any()
            assert (evidence.margin >= margins)[evidence.stands].all()
        assert subject.model.tamed
        before = evidence.stands.clone()
        draw_curves(subject, evidence)
        assert not (evidence.stands & ~before).any()
    by_eps = {name: curve for name, curve in evidence.curves.items() if name.startswith(AGAINST_EPS)}
    assert len(by_eps) > 1
    (by_step,) = (curve for name, curve in evidence.curves.items() if name.startswith("loss along the steps: "))
    for curve in by_eps.values():
        assert curve[0] == [0, 1]
        assert [eps for eps, _ in curve] == sorted(eps for eps, _ in curve)
        assert curve[-1][1] < 1
    assert [value for _, value in by_step] == sorted(value for _, value in by_step)


def test_a_model_that_gets_nothing_right_or_always_says_the_same_stops_no_check() -> None:
    wrong = (drawn(0)[1] + 1) % CLASSES
    for model in (Around(net(0), same, lambda z: 0 * z), Around(net(0), same, lambda z: z * torch.nan), net(0)):
        with audited(model, 0, labels=wrong) as (subject, evidence):
            for check in in_order():
                if check.family in FAMILIES:
                    assert made(check, subject, evidence).passed is not None


@pytest.mark.parametrize("way", ["grad", "backward", "the tensor's own", "jacobian", "torch.func"])
def test_a_search_inside_of_a_model_is_found_by_whatever_name_it_asks_for_a_gradient(way: str) -> None:
    def searched(x: Tensor) -> Tensor:
        with torch.enable_grad():
            point = x.detach().requires_grad_()
            if way == "grad":
                torch.autograd.grad(point.square().sum(), point)
            elif way == "backward":
                torch.autograd.backward(point.square().sum())
            elif way == "the tensor's own":
                point.square().sum().backward()  # type: ignore[no-untyped-call]
            elif way == "jacobian":
                torch.autograd.functional.jacobian(lambda z: z.square().sum(), point)  # type: ignore[no-untyped-call]
            else:
                torch.func.grad(lambda z: z.square().sum())(point)
        return x

    found = checked(Around(net(0), searched, same), 0, "no optimizing in inference")
    assert found.passed is False


@pytest.mark.parametrize("hidden", [False, True])
def test_two_classes_are_enough(hidden: bool) -> None:
    two = Around(net(0), same, lambda z: (1e4 if hidden else 1) * torch.stack([z[:, :2].amax(1), z[:, 2:].amax(1)], 1))
    with audited(two, 0, labels=drawn(0)[1] // 2) as (subject, evidence):
        failed = [
            each.name for each in in_order() if each.family in FAMILIES and not made(each, subject, evidence).passed
        ]
    assert failed == (["logit scale"] if hidden else [])
