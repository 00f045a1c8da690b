"""Attacks, held to what is known: the optimum on an affine model, ball and box, a model given back untouched."""

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.losses import margin_ratio
from dropover.lab.attacks.untouched import model_untouched
from dropover.lab.streams import generator, seeded

ITERATIVE = ["pgd", "pgd-margin"]
COUNT, CLASSES = 64, 4


class Affine(nn.Module):
    """Logits ±s and two far below, s = w·x + b: the best L∞ attack on s is eps · sign(w) for any image."""

    def __init__(self) -> None:
        super().__init__()
        weight = torch.randn(2 * 5 * 5, generator=generator(0, "affine"))
        self.linear = nn.Linear(weight.numel(), 1)
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(-weight.sum() / 2)

    def score(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1)).squeeze(1)

    def forward(self, x: Tensor) -> Tensor:
        score = self.score(x)
        return torch.stack([-score, score, score * 0 - 90, score * 0 - 100], dim=1)


class Fragile(nn.Sequential):
    """A net with every kind of state; it can be told to fail in a forward pass."""

    def __init__(self, fail_at: int | None = None) -> None:
        with seeded(0, "fragile"):
            layers = nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5), nn.Flatten()
            super().__init__(*layers, nn.Linear(54, CLASSES))
        self.passes, self.fail_at = 0, fail_at

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        if self.passes == self.fail_at:
            raise RuntimeError("out of order")
        torch.rand(1)  # a model may draw at inference
        return super().forward(x)


def images_inside() -> Tensor:
    """Images that no ball of radius 0.3 around them leaves the box."""
    return 0.3 + 0.4 * torch.rand(COUNT, 2, 5, 5, generator=generator(0, "images"))


def images_anywhere() -> Tensor:
    return torch.rand(COUNT, 2, 5, 5, generator=generator(0, "images")).mul(1.6).sub(0.3).clamp(0, 1)


def attack(name: str, model: nn.Module, images: Tensor, labels: Tensor, eps: float, **settings: Any) -> Tensor:
    return ATTACKS.get(name).run(model, images, labels, eps, generator(0, "attack"), **settings)


@pytest.mark.parametrize("name", ATTACKS.names())
@pytest.mark.parametrize("eps", [0.005, 0.02, 0.05])
def test_an_affine_model_falls_exactly_where_theory_says(name: str, eps: float) -> None:
    model, images = Affine(), images_inside()
    labels = (model.score(images) > 0).long()
    reach = eps * model.linear.weight.abs().sum()
    certain = (model.score(images).abs() - reach).abs() > 0.01 * reach
    settings = {"steps": 40} if name in ITERATIVE else {}
    wrong = model(attack(name, model, images, labels, eps, **settings)).argmax(1) != labels
    assert torch.equal(wrong[certain], (model.score(images).abs() < reach)[certain])
    assert 0 < int(wrong.sum()) < COUNT


@pytest.mark.parametrize("name", ATTACKS.names())
def test_an_image_that_holds_is_pushed_to_the_optimum(name: str) -> None:
    model, images, eps = Affine(), images_inside(), 0.002
    labels = (model.score(images) > 0).long()
    holds = model.score(images).abs() > 2 * eps * model.linear.weight.abs().sum()
    settings = {"steps": 40} if name in ITERATIVE else {}
    adversarial = attack(name, model, images, labels, eps, **settings)
    sign = model.linear.weight.sign().reshape(1, 2, 5, 5) * (1 - 2 * labels).reshape(-1, 1, 1, 1)
    assert torch.allclose(adversarial[holds], (images + eps * sign)[holds], atol=1e-6)


@pytest.mark.parametrize("name", ATTACKS.names())
@pytest.mark.parametrize("eps", [0.0, 0.1, 1.0])
def test_every_image_is_in_the_ball_and_the_box(name: str, eps: float) -> None:
    model, images = Fragile().eval(), images_anywhere()
    adversarial = attack(name, model, images, torch.arange(COUNT) % CLASSES, eps)
    assert adversarial.shape == images.shape
    assert float((adversarial - images).abs().max()) <= eps + 1e-6
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    assert not adversarial.requires_grad
    if eps == 0:
        assert torch.equal(adversarial, images)


def state(model: nn.Module) -> list[Any]:
    return [
        [module.training for module in model.modules()],
        [parameter.requires_grad for parameter in model.parameters()],
        [None if parameter.grad is None else parameter.grad.tolist() for parameter in model.parameters()],
        {name: value.tolist() for name, value in model.state_dict().items()},
        torch.get_rng_state().tolist(),
    ]


def marked(fail_at: int | None = None) -> Fragile:
    """In training mode but for one submodule, one parameter frozen, one gradient there."""
    model = Fragile(fail_at).train()
    model[1].eval()
    model[0].weight.requires_grad_(False)
    model[5].weight.grad = torch.ones_like(model[5].weight)
    return model


@pytest.mark.parametrize("name", ATTACKS.names())
def test_the_model_is_left_as_found(name: str) -> None:
    model = marked()
    before = state(model)
    attack(name, model, images_inside(), torch.zeros(COUNT, dtype=torch.int64), 0.1)
    assert state(model) == before


@pytest.mark.parametrize(("name", "fail_at"), [("fgsm", 1), ("pgd", 1), ("pgd", 5), ("pgd-margin", 5)])
def test_the_model_is_left_as_found_after_a_failure(name: str, fail_at: int) -> None:
    model, images = marked(fail_at), images_inside()
    with model_untouched(model):
        labels = nn.Sequential.forward(model, images).argmax(1)
    before = state(model)
    with pytest.raises(RuntimeError, match="out of order"):
        attack(name, model, images, labels, 0.001)
    assert state(model) == before


def test_untouched_switches_weight_gradients_off_inside() -> None:
    model = marked()
    with model_untouched(model):
        assert not any(module.training for module in model.modules())
        assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("name", ITERATIVE)
def test_random_starts_do_not_depend_on_the_model(name: str) -> None:
    images, labels = images_inside(), torch.zeros(COUNT, dtype=torch.int64)
    streams = [generator(0, "attack") for _ in range(2)]
    for model, stream in zip((Affine(), Fragile()), streams, strict=True):
        ATTACKS.get(name).run(model, images, labels, 0.1, stream, restarts=1)
    assert torch.equal(streams[0].get_state(), streams[1].get_state())


def test_more_restarts_never_help_the_defender() -> None:
    model, images = Fragile().eval(), images_inside()
    labels = model(images).argmax(1)
    right = [model(attack("pgd", model, images, labels, 0.02, steps=2, restarts=n)).argmax(1) == labels for n in (1, 4)]
    assert not (right[1] & ~right[0]).any()


def test_a_model_whose_inference_is_random_is_attacked_on_every_image() -> None:
    class Noisy(Affine):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + 5 * torch.randn(len(x), 1)

    model, images = Noisy(), images_inside()
    labels = (model.score(images) > 0).long()
    moved = (attack("pgd", model, images, labels, 0.05, steps=40) - images).abs().flatten(1).amax(1)
    assert bool((moved > 0.04).all())


def test_margin_ratio_by_hand_and_whatever_the_scale() -> None:
    logits = torch.tensor([[4.0, 1.0, 0.0, 2.0], [1.0, 3.0, 5.0, -1.0]])
    labels = torch.tensor([0, 1])
    # -(4 - 2) / (4 - 1) and -(3 - 5) / (5 - 1)
    assert torch.allclose(margin_ratio(logits, labels), torch.tensor([-2 / 3, 0.5]))
    assert torch.allclose(margin_ratio(1000 * logits + 7, labels), torch.tensor([-2 / 3, 0.5]), atol=1e-4)


def test_scaled_logits_hide_from_cross_entropy_but_not_from_the_margin() -> None:
    class Loud(Affine):
        def forward(self, x: Tensor) -> Tensor:
            return 1000 * super().forward(x)

    model, images = Loud(), images_inside()
    labels = (model.score(images) > 0).long()
    settings: dict[str, Any] = {"steps": 40}
    kept = [(model(attack(n, model, images, labels, 0.05, **settings)).argmax(1) == labels).sum() for n in ITERATIVE]
    assert kept[0] > kept[1]


@pytest.mark.parametrize("name", ITERATIVE)
@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": 2.5}, TypeError, "steps must be a whole number, got 2.5"),
        ({"restarts": True}, TypeError, "restarts must be a whole number"),
        ({"step": 0}, ValueError, "step, a fraction of eps, must be above 0"),
        ({"step": 3}, ValueError, r"step must be in \[0, 2\], got 3"),
    ],
)
def test_settings_out_of_range_are_refused(
    name: str, settings: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        attack(name, Affine(), images_inside(), torch.zeros(COUNT, dtype=torch.int64), 0.1, **settings)


def test_the_margin_needs_three_classes() -> None:
    with pytest.raises(ValueError, match="at least 3 classes, got 2"):
        margin_ratio(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64))


def test_settings_are_keyword_only_so_that_a_study_can_be_checked() -> None:
    for entry in ATTACKS:
        kinds = [parameter.kind for parameter in inspect.signature(entry.run).parameters.values()]
        assert kinds[:5] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 5
        assert set(kinds[5:]) <= {inspect.Parameter.KEYWORD_ONLY}
