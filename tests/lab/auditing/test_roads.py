"""Other roads, the exam and the ways through, on planted nets whose truth is that of the same weights unmasked."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dropover import lab
from dropover.lab.auditing.audit import Audit
from dropover.lab.auditing.budgets import BUDGETS
from dropover.lab.auditing.checks import CHECKS, CannotBeMadeError, Reading
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import opened
from dropover.lab.auditing.twin import distilled
from dropover.lab.auditing.ways import WAYS, tried

CLASSES, COUNT, EPS = 4, 40, 0.25


def net(seed: int = 0) -> nn.Sequential:
    """A random net with features, centred at grey; what it says of an image is its class."""
    torch.manual_seed(seed)
    layers = nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.Linear(128, 24), nn.Linear(24, CLASSES)
    for layer in layers:
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    with torch.no_grad():
        layers[0].bias.sub_(layers[0].weight.sum((1, 2, 3)) / 2)  # type: ignore[union-attr]
    conv, hidden, last = layers
    return nn.Sequential(conv, nn.ReLU(), nn.Flatten(), hidden, nn.ReLU(), last).eval()


def images(seed: int = 1) -> Tensor:
    return torch.rand((COUNT, 1, 8, 8), generator=torch.Generator().manual_seed(seed))


class Step(torch.autograd.Function):
    """The identity, whose backward is its factor."""

    @staticmethod
    def forward(context: Any, x: Tensor, slope: float) -> Tensor:
        context.slope = slope
        return x.clone()

    @staticmethod
    def backward(context: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return slopes[0] * context.slope, None


class Before(nn.Module):
    """A net that sees what `change` makes of the image."""

    def __init__(self, inner: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.change = inner, change

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(self.change(x))
        return logits


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = Step.apply(x, 0.0)
        return hidden


class CutInPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.detach_()


class Whole(nn.Module):
    """A net in one forward, without modules that a hook could see the image enter."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.state = [inner]

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.state[0](x.detach())
        return logits


MASKS: dict[str, Callable[[Tensor], Tensor]] = {
    "rounded": lambda x: (x * 7).round() / 7,
    "detached": lambda x: x.detach(),
    "zero": lambda x: Step.apply(x, 0.0),
    "misled": lambda x: Step.apply(x, -1.0),
    "not finite": lambda x: Step.apply(x, float("nan")),
}


def reading(
    name: str, model: nn.Module, seed: int = 0, norm: str = "linf", twins: list[nn.Module] | None = None
) -> Reading:
    x = images()
    with torch.no_grad():
        labels = model(x).argmax(1)
    with opened(model, x, labels, EPS if norm == "linf" else 1.5, norm, seed, BUDGETS["quick"], twins or []) as subject:
        return CHECKS.get(name).make(subject, Evidence.of_clean(subject))


class TestExam:
    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("norm", ["linf", "l2"])
    def test_a_net_that_hides_nothing_passes(self, seed: int, norm: str) -> None:
        assert reading("binarization test", net(seed), seed, norm).passed

    @pytest.mark.parametrize("mask", MASKS)
    def test_a_net_that_hides_its_gradient_fails(self, mask: str) -> None:
        assert not reading("binarization test", Before(net(), MASKS[mask])).passed

    def test_without_a_linear_layer_the_logits_are_the_features(self) -> None:
        inner = net()
        model = nn.Sequential(*list(inner)[:2], nn.AdaptiveAvgPool2d(4), nn.Conv2d(8, 16, 4), nn.Flatten())
        assert reading("binarization test", model).passed

    def test_where_no_problem_can_be_set_up_it_says_so(self) -> None:
        constant = Before(net(), torch.zeros_like)
        with pytest.raises(CannotBeMadeError, match="of 20 problems could not be set up"):
            reading("binarization test", constant)

    def test_no_hook_stays_behind(self) -> None:
        model = net()
        reading("binarization test", model)
        assert not any(each._forward_pre_hooks for each in model.modules())


class TestNoise:
    @pytest.mark.parametrize("norm", ["linf", "l2"])
    def test_what_falls_to_noise_before_any_attack_is_seen(self, norm: str) -> None:
        """Where a hair's breadth decides, noise finds it; nothing was felled before, so that the check fails."""

        class Thin(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                away = (x - images()[: len(x)]).flatten(1).abs().amax(1)
                return torch.stack([1e-4 - away, away - 1e-4, away - 1, away - 1], 1)

        assert not reading("random noise", Thin(), norm=norm).passed

    def test_noise_does_not_turn_what_a_wide_margin_holds(self) -> None:
        class Wide(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                mean = x.flatten(1).mean(1)
                return torch.stack([mean + 2, mean, mean, mean], 1)

        assert reading("random noise", Wide()).figure == 0


class TestTransferred:
    def test_examples_of_a_twin_fell_what_hides_its_gradient(self) -> None:
        """The twin has the very weights that the mask hides, so that what fells it fells the model."""
        model = Whole(net())
        assert reading("transferred", model, twins=[net()]).figure > reading("transferred", model).figure
        assert not reading("transferred", model, twins=[net()]).passed

    def test_a_twin_of_fewer_classes_is_refused(self) -> None:
        x = images()
        small = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        with pytest.raises(ValueError, match="labels must be below 2, twin 0's outputs, got 3"):
            lab.audit(net(), x, torch.arange(COUNT) % CLASSES, eps=0.1, twins=[small])

    def test_distilling_is_reproducible_and_touches_no_random_state(self) -> None:
        model, x = net(), images()
        with opened(model, x, model(x).argmax(1), EPS, "linf", 0, BUDGETS["quick"]) as subject:
            before = torch.get_rng_state()
            first, second = (distilled(subject, "one").state_dict() for _ in range(2))
            assert torch.equal(before, torch.get_rng_state())
            other = distilled(subject, "another").state_dict()
        assert all(torch.equal(first[key], second[key]) for key in first)
        assert not all(torch.equal(first[key], other[key]) for key in first)


class TestWays:
    def felled(self, way: str, model: nn.Module, seed: int = 0) -> tuple[int, Evidence]:
        x = images()
        with torch.no_grad():
            labels = model(x).argmax(1)
        with opened(model, x, labels, EPS, "linf", seed, BUDGETS["quick"]) as subject:
            evidence = Evidence.of_clean(subject)
            tried(WAYS.get(way), subject, evidence)
        return int((~evidence.stands).sum()), evidence

    def truth(self) -> int:
        """How many of the images fall without a mask."""
        x, model = images(), net()
        with torch.no_grad():
            labels = model(x).argmax(1)
        found: Audit = lab.audit(model, x, labels, eps=EPS)
        return round(COUNT * (1 - found.accuracy))

    @pytest.mark.parametrize("mask", MASKS)
    def test_past_the_entrance_falls_nearly_all_that_falls_unmasked(self, mask: str) -> None:
        felled, evidence = self.felled("past the entrance", Before(net(), MASKS[mask]))
        assert felled >= 0.9 * self.truth() > COUNT / 2
        assert [each.felled for each in evidence.attempts] == [felled]

    @pytest.mark.parametrize("layer", [Zero, CutInPlace])
    @pytest.mark.parametrize("place", [2, 4])
    def test_straight_through_passes_on_what_a_layer_inside_hides(self, place: int, layer: type[nn.Module]) -> None:
        layers = list(net())
        layers.insert(place, layer())
        assert self.felled("straight through", nn.Sequential(*layers))[0] >= 0.9 * self.truth()

    def test_differences_need_no_gradient_at_all(self) -> None:
        assert self.felled("differences", Whole(net()))[0] > 0.7 * self.truth()

    @pytest.mark.parametrize("in_place", [False, True])
    def test_where_there_is_nothing_to_change_nothing_is_tried(self, in_place: bool) -> None:
        model = net()
        for layer in model:
            if isinstance(layer, nn.ReLU):
                layer.inplace = in_place
        for way in ("straight through", "more draws"):
            felled, evidence = self.felled(way, model)
            assert (felled, evidence.attempts[0].gradients) == (0, 0)

    @pytest.mark.parametrize("way", [way.name for way in WAYS])
    def test_no_hook_stays_behind_after_an_error_either(self, way: str) -> None:
        model = Before(nn.Sequential(Zero(), *net()), MASKS["rounded"])
        x = images()
        with opened(model, x, model(x).argmax(1), EPS, "linf", 0, BUDGETS["quick"]) as subject:
            evidence = Evidence.of_clean(subject)
            with pytest.raises(KeyboardInterrupt), WAYS.get(way).copy(subject, evidence):
                raise KeyboardInterrupt
        assert not any(each._forward_pre_hooks or each._forward_hooks for each in model.modules())
