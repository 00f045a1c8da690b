"""Attacks, held to what is known: the optimum on an affine model, ball and box, a model given back untouched."""

import inspect
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dropover.lab.attacks import ATTACKS
from dropover.lab.attacks.apgd import checkpoints
from dropover.lab.attacks.parts.losses import margin_ratio
from dropover.lab.attacks.parts.norms import NORMS
from dropover.lab.attacks.parts.task import CleanPass, clean_pass, model_untouched
from dropover.lab.streams import generator, seeded

GRADIENT = ["bim", "pgd", "pgd-margin", "apgd", "apgd-margin", "apgd-dlr", "apgd-t"]
STARTED = [name for name in GRADIENT if name != "bim"]
NORMED = [(attack.name, norm) for attack in ATTACKS for norm in attack.norms]
# Enough to reach the optimum of an affine model.
LONG: dict[str, dict[str, Any]] = {
    "fgsm": {}, "bim": {"steps": 15}, "pgd": {"steps": 80}, "pgd-margin": {"steps": 80}, "apgd": {"steps": 30},
    "apgd-margin": {"steps": 30}, "apgd-dlr": {"steps": 30}, "apgd-t": {"steps": 30}, "fab": {"steps": 10},
    "cw": {"steps": 300, "searches": 6, "c": 0.1}, "square": {"queries": 600},
}  # fmt: skip
SHORT: dict[str, dict[str, Any]] = {
    "apgd": {"steps": 8}, "apgd-margin": {"steps": 8}, "apgd-dlr": {"steps": 8}, "apgd-t": {"steps": 8},
    "fab": {"steps": 8}, "cw": {"steps": 40, "searches": 4, "lr": 0.1}, "square": {"queries": 30},
}  # fmt: skip
COUNT, CLASSES = 64, 4
# Per norm: what the dual norm of w is, and radii at which some images of the affine model fall.
DUAL = {"linf": 1, "l2": 2}
SOME_FALL = {"linf": [0.005, 0.02, 0.05], "l2": [0.05, 0.1, 0.2]}


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


def curve(
    name: str, model: nn.Module, images: Tensor, labels: Tensor, eps: list[float], **settings: Any
) -> list[Tensor]:
    return ATTACKS.get(name).run(model, images, labels, eps, generator(0, "attack"), **settings)


def attack(name: str, model: nn.Module, images: Tensor, labels: Tensor, eps: float, **settings: Any) -> Tensor:
    (adversarial,) = curve(name, model, images, labels, [eps], **settings)
    return adversarial


def length(moved: Tensor, norm: str) -> Tensor:
    return moved.flatten(1).norm(p=torch.inf if norm == "linf" else 2, dim=1)


@pytest.mark.parametrize(("name", "norm"), NORMED)
def test_an_affine_model_falls_exactly_where_theory_says(name: str, norm: str) -> None:
    model, images = Affine(), images_inside()
    labels = (model.score(images) > 0).long()
    found = curve(name, model, images, labels, SOME_FALL[norm], norm=norm, **LONG[name])
    for eps, adversarial in zip(SOME_FALL[norm], found, strict=True):
        reach = eps * model.linear.weight.norm(p=DUAL[norm])
        score = model.score(images).abs()
        wrong = model(adversarial).argmax(1) != labels
        # Square knows no gradient, and its bumps in L2 don't fit white noise.
        found_by = {("square", "linf"): 0.9, ("square", "l2"): 0.5}.get((name, norm), 0.98)
        assert bool(wrong[score < found_by * reach].all())
        assert not bool(wrong[score > 1.001 * reach].any())
        assert 0 < int(wrong.sum()) < COUNT


@pytest.mark.parametrize(("name", "norm"), [(name, norm) for name, norm in NORMED if name in ("fgsm", *GRADIENT)])
def test_an_image_that_holds_is_pushed_to_the_optimum(name: str, norm: str) -> None:
    model, images, eps = Affine(), images_inside(), 0.2 * SOME_FALL[norm][0]
    labels = (model.score(images) > 0).long()
    weight = model.linear.weight
    holds = model.score(images).abs() > 2 * eps * weight.norm(p=DUAL[norm])
    adversarial = attack(name, model, images, labels, eps, norm=norm, **LONG[name])
    way = weight.sign() if norm == "linf" else weight / weight.norm()
    best = images + eps * way.reshape(1, 2, 5, 5) * (1 - 2 * labels).reshape(-1, 1, 1, 1)
    assert int(holds.sum()) > COUNT / 2
    assert torch.allclose(adversarial[holds], best[holds], atol=1e-6 if norm == "linf" else 2e-2 * eps)


def test_carlini_wagner_finds_the_distance_to_the_boundary() -> None:
    model, images = Affine(), images_inside()
    labels = (model.score(images) > 0).long()
    adversarial = attack("cw", model, images, labels, 10.0, steps=500, searches=12, lr=0.003)
    assert not bool((model(adversarial).argmax(1) == labels).any())
    theory = (model.score(images).abs() / model.linear.weight.norm()).detach()
    ratio = (length(adversarial - images, "l2") / theory)[theory > 0.01]
    assert float(ratio.min()) >= 1 - 1e-4
    assert float(ratio.median()) < 1.002
    assert float(ratio.max()) < 1.02


@pytest.mark.parametrize(("name", "norm"), NORMED)
@pytest.mark.parametrize("std", [None, [0.2, 0.5]])
def test_every_image_is_in_the_ball_and_the_box(name: str, norm: str, std: list[float] | None) -> None:
    model, images, eps = Fragile().eval(), images_anywhere(), [0.0, 0.1, 1.0]
    units = {} if std is None else {"units": "normalised", "std": std}
    labels = torch.arange(COUNT) % CLASSES
    found = curve(name, model, images, labels, eps, norm=norm, **units, **SHORT.get(name, {}))
    assert torch.equal(found[0], images)
    one = torch.tensor(std or [1.0, 1.0])[:, None, None]
    for radius, adversarial in zip(eps, found, strict=True):
        assert adversarial.shape == images.shape
        assert float(length((adversarial - images) / one, norm).max()) <= radius * (1 + 1e-5) + 1e-6
        assert adversarial.min() >= 0
        assert adversarial.max() <= 1
        assert not adversarial.requires_grad
    assert not torch.equal(found[2], images)


@pytest.mark.parametrize("name", [name for name in ATTACKS.names() if name != "fgsm"])
def test_more_eps_never_helps_the_defender(name: str) -> None:
    model, images = Fragile().eval(), images_anywhere()
    labels = model(images).argmax(1)
    found = curve(name, model, images, labels, [0.01, 0.03, 0.1, 0.5], **SHORT.get(name, {}))
    kept = [model(adversarial).argmax(1) == labels for adversarial in found]
    assert not any(bool((more & ~less).any()) for less, more in itertools.pairwise(kept))
    assert int(kept[-1].sum()) < COUNT


@pytest.mark.parametrize("name", ["bim", "pgd", "apgd", "apgd-margin", "apgd-t", "fab"])
def test_what_has_fallen_or_was_wrong_is_not_looked_at_again(name: str) -> None:
    class Counting(Fragile):
        def forward(self, x: Tensor) -> Tensor:
            self.looked = getattr(self, "looked", 0) + len(x)
            return super().forward(x)

    model, images = Counting().eval(), images_inside()
    labels = model(images).argmax(1)
    (fallen,) = curve(name, model, images, labels, [1.0])
    assert bool((model(fallen).argmax(1) != labels).all())
    known = clean_pass(model, images)
    looked = []
    for eps in ([1.0], [1.0, 1.5, 2.0]):
        model.looked = 0
        ATTACKS.get(name).run(model, images, labels, eps, generator(0, "attack"), known)
        looked.append(model.looked)
    assert looked[0] == looked[1]
    model.looked = 0
    ATTACKS.get(name).run(model, images, (labels + 1) % CLASSES, [0.1], generator(0, "attack"), known)
    assert model.looked == 0


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
    model, images = marked(), images_inside()
    with model_untouched(model):
        labels = model(images).argmax(1)
    before = state(model)
    attack(name, model, images, labels, 0.1, **SHORT.get(name, {}))
    assert state(model) == before


# The clean pass and the two that look for randomness are the first three.
@pytest.mark.parametrize(("name", "fail_at"), [(n, at) for n in ATTACKS.names() for at in (1, 4, 6)][:-3])
def test_the_model_is_left_as_found_after_a_failure(name: str, fail_at: int) -> None:
    if name == "fgsm" and fail_at > 4:
        return
    model, images = marked(fail_at), images_inside()
    with model_untouched(model):
        labels = nn.Sequential.forward(model, images).argmax(1)
    before = state(model)
    with pytest.raises(RuntimeError, match="out of order"):
        attack(name, model, images, labels, 0.001, **SHORT.get(name, {}))
    assert state(model) == before


def test_untouched_switches_weight_gradients_off_inside() -> None:
    model = marked()
    with model_untouched(model):
        assert not any(module.training for module in model.modules())
        assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("name", [*STARTED, "square"])
def test_random_numbers_do_not_depend_on_the_model(name: str) -> None:
    class Watched(Fragile):
        def forward(self, x: Tensor) -> Tensor:
            self.first = getattr(self, "first", None)
            if self.first is None:
                self.first = x.detach().clone()
            return super().forward(x)

    images, labels = images_inside(), torch.zeros(COUNT, dtype=torch.int64)
    known = CleanPass(nn.functional.one_hot(labels, CLASSES).float(), random=False)
    streams = [generator(0, "attack") for _ in range(2)]
    models = [Watched(), Watched()]
    with torch.no_grad():
        models[1][5].weight.neg_()
    for model, stream in zip(models, streams, strict=True):
        ATTACKS.get(name).run(model, images, labels, [0.1], stream, known, **SHORT.get(name, {}))
    assert torch.equal(streams[0].get_state(), streams[1].get_state())
    assert torch.equal(models[0].first, models[1].first)
    assert not torch.equal(models[0].first, images)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_random_starts_are_uniform_in_the_ball(norm: str) -> None:
    images = torch.zeros(4000, 1, 2, 2)
    lengths = length(NORMS[norm](torch.ones(1, 1, 1)).uniform(images, generator(0, "ball")), norm)
    # In four dimensions the share within r is r⁴.
    shares = [float((lengths <= radius).double().mean()) for radius in (0.5, 0.8, 1.0)]
    assert shares == pytest.approx([0.5**4, 0.8**4, 1.0], abs=0.025)


@pytest.mark.parametrize("name", ["pgd", "apgd-t", "fab"])
def test_more_restarts_never_help_the_defender(name: str) -> None:
    model, images = Fragile().eval(), images_inside()
    labels = model(images).argmax(1)
    right = [model(attack(name, model, images, labels, 0.02, steps=2, restarts=n)).argmax(1) == labels for n in (1, 4)]
    assert not (right[1] & ~right[0]).any()


class Noisy(Affine):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 5 * torch.randn(len(x), 1)


@pytest.mark.parametrize(("name", "norm"), NORMED)
def test_a_model_whose_inference_is_random_is_no_easier_afterwards(name: str, norm: str) -> None:
    model, images, eps = Noisy(), images_inside(), SOME_FALL[norm][-1]
    labels = (model.score(images) > 0).long()
    before = model.score(images).detach()
    found = attack(name, model, images, labels, eps, norm=norm, eot=4, **LONG[name])
    pushed = (before - model.score(found)) * before.sign()
    assert float(length(found - images, norm).max()) <= eps * (1 + 1e-5)
    assert bool(pushed.mean() > 0)


def test_a_model_whose_inference_is_random_is_attacked_on_every_image() -> None:
    model, images = Noisy(), images_inside()
    labels = (model.score(images) > 0).long()
    moved = (attack("pgd", model, images, labels, 0.05, steps=40) - images).abs().flatten(1).amax(1)
    assert bool((moved > 0.04).all())


def test_averaged_gradients_find_more_where_inference_is_random() -> None:
    class Flickering(Affine):
        """Each pass sees a tenth of the pixels: one draw's gradient says little of the mean's."""

        def forward(self, x: Tensor) -> Tensor:
            return super().forward((x - 0.5) * (torch.rand(x.shape) < 0.1) + 0.5)

    model, images = Flickering(), images_inside()
    labels = (model.score(images) > 0).long()
    pushed = [
        (model.score(images) - model.score(attack("fgsm", model, images, labels, 0.05, eot=draws))).abs().mean()
        for draws in (1, 40)
    ]
    assert pushed[1] > 2 * pushed[0]
    assert pushed[1] > 0.9 * 0.05 * model.linear.weight.abs().sum()


@pytest.mark.parametrize("rule", ["least-likely", "runner-up", "random"])
@pytest.mark.parametrize("name", ["pgd", "apgd-margin", "apgd-dlr", "apgd-t", "fab", "cw", "square"])
def test_a_targeted_attack_reaches_its_class(name: str, rule: str) -> None:
    model, images = Fragile().eval(), images_anywhere()
    logits = model(images)
    labels = logits.argmax(1)
    order = logits.argsort(1, descending=True)
    longer = {"pgd": {"step": 0.25}, "cw": {"steps": 60, "searches": 6, "lr": 0.1}, "fab": {"steps": 40}}
    settings = {**SHORT, **longer}.get(name, {})
    settings = {**settings, "queries": 300} if name == "square" else settings
    adversarial = attack(name, model, images, labels, 20.0 if name == "cw" else 1.0, target=rule, **settings)
    guess = model(adversarial).argmax(1)
    if rule == "random":
        # All reach some class that is not their own, and all wrong classes are among them.
        assert float((guess != labels).double().mean()) > 0.8
        assert set(((guess - labels) % CLASSES).tolist()) >= {1, 2, 3}
    else:
        wanted = order[:, -1] if rule == "least-likely" else order[:, 1]
        assert float((guess == wanted).double().mean()) > 0.8


def test_one_targeted_step_raises_the_wanted_class() -> None:
    model, images = Fragile().eval(), images_anywhere()
    logits = model(images)
    moved = attack("fgsm", model, images, logits.argmax(1), 0.01, target="least-likely")
    wanted = logits.argmin(1, keepdim=True)
    before, after = (model(x).log_softmax(1).gather(1, wanted) for x in (images, moved))
    assert bool((after > before).all())


def test_margin_ratio_by_hand_and_whatever_the_scale() -> None:
    logits = torch.tensor([[4.0, 1.0, 0.0, 2.0], [1.0, 3.0, 5.0, -1.0]])
    labels = torch.tensor([0, 1])
    # -(4 - 2) / (4 - 1) and -(3 - 5) / (5 - 1)
    assert torch.allclose(margin_ratio(logits, labels), torch.tensor([-2 / 3, 0.5]))
    assert torch.allclose(margin_ratio(1000 * logits + 7, labels), torch.tensor([-2 / 3, 0.5]), atol=1e-4)


def test_margin_ratio_towards_a_wanted_class_by_hand() -> None:
    logits = torch.tensor([[4.0, 1.0, 0.0, 2.0]])
    # -(4 - 1) / (4 - (1 + 0) / 2)
    found = margin_ratio(logits, torch.tensor([0]), torch.tensor([1]))
    assert torch.allclose(found, torch.tensor([-3 / 3.5]))


def test_scaled_logits_hide_from_cross_entropy_but_not_from_the_margin() -> None:
    class Loud(Affine):
        def forward(self, x: Tensor) -> Tensor:
            return 1000 * super().forward(x)

    model, images = Loud(), images_inside()
    labels = (model.score(images) > 0).long()

    def kept(name: str) -> int:
        return int((model(attack(name, model, images, labels, 0.05, **LONG[name])).argmax(1) == labels).sum())

    falls = int((model.score(images).abs() < 0.05 * model.linear.weight.abs().sum()).sum())
    for margin, entropy in (("pgd-margin", "fgsm"), ("pgd-margin", "bim"), ("apgd-dlr", "fgsm")):
        assert kept(margin) == pytest.approx(COUNT - falls, abs=1)
        assert kept(entropy) > kept(margin) + 0.2 * COUNT


def test_tiny_gradients_still_have_a_direction_in_l2() -> None:
    way = torch.randn(3, 1, 4, 4)
    found = NORMS["l2"](torch.ones(1, 1, 1)).uphill(1e-30 * way)
    assert torch.allclose(found, way / way.flatten(1).norm(dim=1)[:, None, None, None], atol=1e-5)
    assert torch.equal(NORMS["l2"](torch.ones(1, 1, 1)).uphill(0 * way), 0 * way)


def test_checkpoints_are_the_papers() -> None:
    # Periods of 0.22, 0.19, 0.16, 0.13, 0.10, 0.07, 0.06, 0.06 (Croce & Hein 2020, section 3).
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]


@pytest.mark.parametrize("name", ["bim", "pgd", "pgd-margin"])
@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": 2.5}, TypeError, "steps must be a whole number, got 2.5"),
        ({"step": 0}, ValueError, "step, a fraction of eps, must be above 0"),
        ({"step": 3}, ValueError, r"step must be in \[0, 2\], got 3"),
    ],
)
def test_settings_out_of_range_are_refused(
    name: str, settings: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        attack(name, Affine(), images_inside(), torch.zeros(COUNT, dtype=torch.int64), 0.1, **settings)


@pytest.mark.parametrize(
    ("name", "settings", "error", "said"),
    [
        ("pgd", {"restarts": True}, TypeError, "restarts must be a whole number"),
        ("fgsm", {"norm": "l1"}, ValueError, "norm must be one of 'linf', 'l2', got 'l1'"),
        ("cw", {"norm": "linf"}, ValueError, "norm must be 'l2' for cw, got 'linf'"),
        ("pgd", {"target": "worst"}, ValueError, "target must be one of None, 'least-likely', 'runner-up', 'random'"),
        ("pgd", {"units": "inches"}, ValueError, "units must be one of 'pixels', 'normalised', got 'inches'"),
        ("pgd", {"std": 0.5}, ValueError, "std has no effect with units 'pixels'"),
        ("pgd", {"units": "normalised", "std": [0.5] * 3}, ValueError, "one for each of 2 channels"),
        ("pgd", {"units": "normalised", "std": 0}, ValueError, "std must be above 0, got 0"),
        ("pgd", {"eot": 0}, ValueError, "eot must be at least 1, got 0"),
        ("pgd", {"stepz": 3}, TypeError, "stepz"),
        ("apgd-t", {"classes": 0}, ValueError, "classes must be at least 1, got 0"),
        ("apgd-t", {"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ("fab", {"classes": 1.5}, TypeError, "classes must be a whole number, got 1.5"),
        ("fab", {"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ("fab", {"restarts": 0}, ValueError, "restarts must be at least 1, got 0"),
        ("cw", {"lr": 0}, ValueError, "lr must be above 0, got 0"),
        ("square", {"p": 2}, ValueError, r"p must be in \[0, 1\], got 2"),
    ],
)
def test_other_settings_are_refused(name: str, settings: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        attack(name, Affine(), images_inside(), torch.zeros(COUNT, dtype=torch.int64), 0.1, **settings)


@pytest.mark.parametrize("eps", [[0.2, 0.1], [0.1, 0.1], [-0.1]])
def test_eps_rise(eps: list[float]) -> None:
    with pytest.raises(ValueError, match="eps must rise from at least 0"):
        curve("fgsm", Affine(), images_inside(), torch.zeros(COUNT, dtype=torch.int64), eps)


def test_normalised_units_are_those_of_the_divided_input() -> None:
    model, images, std = Affine(), images_inside(), [0.2, 0.5]
    labels = (model.score(images) > 0).long()
    moved = attack("fgsm", model, images, labels, 0.3, units="normalised", std=std) - images
    assert torch.allclose(moved.abs(), 0.3 * torch.tensor(std)[:, None, None].expand_as(moved), atol=1e-6)
    own = attack("fgsm", model, images, labels, 0.3, units="normalised") - images
    assert torch.allclose(own.abs(), torch.full_like(own, 0.15), atol=1e-6)
    # In L2 the best step in units u = x / std is along the gradient in u, std · w.
    moved = attack("fgsm", model, images, labels, 0.3, units="normalised", std=std, norm="l2") - images
    way = model.linear.weight.reshape(1, 2, 5, 5) * torch.tensor(std)[:, None, None]
    best = 0.3 * way / way.norm() * torch.tensor(std)[:, None, None] * (1 - 2 * labels).reshape(-1, 1, 1, 1)
    assert torch.allclose(moved, best, atol=1e-6)


def test_the_margin_needs_three_classes() -> None:
    with pytest.raises(ValueError, match="at least 3 classes, got 2"):
        margin_ratio(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64))


def test_settings_are_keyword_only_so_that_a_study_can_be_checked() -> None:
    for entry in ATTACKS:
        kinds = [parameter.kind for parameter in inspect.signature(entry.perturb).parameters.values()]
        assert kinds[0] == inspect.Parameter.POSITIONAL_OR_KEYWORD
        assert set(kinds[1:]) <= {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", ["pgd-margin", "apgd-dlr"])
def test_a_loss_that_needs_more_classes_says_so(name: str) -> None:
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), torch.rand(3, 1, 4, 4)
    labels = torch.zeros(3, dtype=torch.int64)
    with pytest.raises(ValueError, match="the difference-of-logits ratio needs at least 3 classes, got 2"):
        ATTACKS.get(name).run(model, images, labels, [0.0], generator(0, "attack"))


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", ["apgd-margin", "apgd-t"])
def test_few_classes_need_no_ratio(name: str, classes: int) -> None:
    """On an affine model, an image falls exactly where ε is the distance of the nearest boundary."""
    torch.manual_seed(classes)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, classes))
    images = 0.5 + 0.01 * torch.randn(20, 1, 4, 4)
    with torch.no_grad():
        logits = model(images)
    labels = logits.argmax(1)
    rows = model[1].weight.detach()
    lead = logits.gather(1, labels[:, None]) - logits
    slope = (rows[labels][:, None] - rows[None]).abs().sum(2)
    distance = float((lead / slope).masked_fill(slope == 0, torch.inf).amin(1).amax())
    assert distance < 0.4
    for factor, falls in ((1.05, True), (0.95, False)):
        (found,) = ATTACKS.get(name).run(model, images, labels, [factor * distance], generator(0, "attack"), steps=40)
        assert bool((model(found).argmax(1) != labels).all()) is falls
