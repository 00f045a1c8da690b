"""The audit's core: a model is asked alike and left as it was, what is found is kept, and the verdict follows."""

import math
from collections.abc import Iterator
from itertools import product

import pytest
import torch
from scipy.stats import binom
from torch import Tensor, nn

from dropover import lab
from dropover.lab.auditing.budgets import BUDGETS
from dropover.lab.auditing.checks import RISK, Checked, allowed, in_order
from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject, Watched, opened
from dropover.lab.auditing.verdict import BROKEN, SUPPORTED, UPPER_BOUND, interval_of, judged

COUNT, CLASSES = 40, 5


def affine(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, CLASSES, bias=False))


def examples(model: nn.Module, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Images from the middle of the box, which the model gets right but for every tenth."""
    images = 0.3 + 0.4 * torch.rand((COUNT, 1, 4, 4), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        labels = model(images).argmax(1)
    labels[::10] = (labels[::10] + 1) % CLASSES
    return images, labels


@pytest.fixture
def subject() -> Iterator[Subject]:
    model = affine()
    with opened(model, *examples(model), 0.05, "linf", 0, BUDGETS["quick"]) as opened_subject:
        yield opened_subject


class TestSubject:
    def test_every_image_that_passes_is_counted_and_every_gradient(self) -> None:
        watched = Watched(affine())
        images = torch.rand(3, 1, 4, 4)
        with torch.no_grad():
            watched(images)
        watched(images[:2].requires_grad_()).sum().backward()
        watched(torch.rand(4, 1, 4, 4))
        assert (watched.forwards, watched.gradients) == (9, 2)

    @pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16, torch.float32])
    def test_a_model_is_asked_in_its_own_precision_and_answers_in_float32(self, kind: torch.dtype) -> None:
        model = affine().to(kind)
        logits = Watched(model)(torch.rand(3, 1, 4, 4))
        assert logits.dtype == torch.float32

    def test_a_model_cut_off_from_its_input_has_the_gradient_zero(self) -> None:
        class Cut(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x.detach().flatten(1)[:, :3]

        x = torch.rand(2, 1, 4, 4, requires_grad=True)
        (slope,) = torch.autograd.grad(Watched(Cut())(x).sum(), x)
        assert torch.equal(slope, torch.zeros_like(x))

    @pytest.mark.parametrize("tamed", [True, False])
    def test_a_gradient_that_is_not_finite_ends_no_attack_but_can_be_seen(self, tamed: bool) -> None:
        class Root(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return (x - x.detach()).abs().sqrt().flatten(1)[:, :3]

        x = torch.rand(2, 1, 4, 4, requires_grad=True)
        watched = Watched(Root())
        watched.tamed = tamed
        (slope,) = torch.autograd.grad(watched(x).sum(), x)
        assert bool(slope.isfinite().all()) is tamed

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (lambda x: x.flatten(1).argmax(1), "must return logits, a tensor of real numbers, got torch.int64"),
            (lambda x: {"logits": x}, "must return logits, a tensor of real numbers, got dict"),
            (lambda x: x.flatten(1)[:, 0], r"must return logits \(40, classes\), got the shape \(40,\)"),
        ],
    )
    def test_what_is_no_logits_is_refused_in_a_line(self, answer: object, message: str) -> None:
        class Other(nn.Module):
            def forward(self, x: Tensor) -> object:
                return answer(x)  # type: ignore[operator]

        with pytest.raises(ValueError, match=message):
            lab.audit(Other(), *examples(affine()), eps=0.1)

    def test_labels_that_the_model_does_not_know_are_refused(self) -> None:
        images, labels = examples(affine())
        with pytest.raises(ValueError, match="labels must be below 5, the model's outputs, got 7"):
            lab.audit(affine(), images, labels.clamp_max(0) + 7, eps=0.1)


class TestEvidence:
    def test_images_are_moved_into_the_ball_before_they_count(self, subject: Subject) -> None:
        evidence = Evidence.of_clean(subject)
        everything = torch.arange(COUNT)
        evidence.take(subject, everything, torch.ones_like(subject.images), "far")
        away = (evidence.worst - subject.images).abs().amax()
        assert float(away) <= subject.eps * (1 + 1e-5)

    def test_what_was_wrong_when_clean_never_stood(self, subject: Subject) -> None:
        evidence = Evidence.of_clean(subject)
        assert evidence.stands.sum() == COUNT - COUNT // 10
        assert torch.equal(evidence.attackable, evidence.standing)

    def test_an_image_falls_once_and_is_told_by_whom(self, subject: Subject) -> None:
        evidence = Evidence.of_clean(subject)
        for label in ("first", "second"):
            which = torch.arange(COUNT)
            with evidence.attempt(subject, label, "white-box"):
                evidence.take(subject, which, subject.attacked(which, "same", "pgd", steps=5), label)
        assert [each.attacked - each.felled for each in evidence.attempts] == [len(evidence.standing)] * 2
        assert evidence.attempts[0].felled > 0 == evidence.attempts[1].felled
        assert {evidence.felled_by[place] for place in (evidence.right & ~evidence.stands).nonzero()} == {"first"}

    def test_the_worst_of_two_images_that_stand_is_the_one_of_the_smaller_lead(self, subject: Subject) -> None:
        evidence = Evidence.of_clean(subject)
        which = evidence.standing
        before = evidence.margin[which].clone()
        found = subject.attacked(which, "short", "pgd", eps=subject.eps / 20, steps=2)
        evidence.take(subject, which, found, "short")
        assert (evidence.margin[which] >= before).all()
        assert (evidence.margin[which] > before).any()


class TestVerdict:
    def checked(self, passed: bool | None, name: str = "a check") -> Checked:
        return Checked(name, "order", passed, 0, 0, "", "", "", "")

    @pytest.mark.parametrize(
        ("right", "claim", "passed", "verdict"),
        [
            (60, None, True, SUPPORTED),
            (60, 0.5, True, SUPPORTED),
            (60, 0.65, True, SUPPORTED),
            (60, 0.8, True, BROKEN),
            (60, 0.8, False, BROKEN),
            (60, None, False, UPPER_BOUND),
            (60, 0.5, None, UPPER_BOUND),
            (10, None, True, BROKEN),
            (10, None, None, BROKEN),
            (10, 0.05, True, SUPPORTED),
        ],
    )
    def test_it_follows_from_figure_claim_and_checks(
        self, right: int, claim: float | None, passed: bool | None, verdict: str
    ) -> None:
        assert judged(right, 100, 10, claim, [self.checked(True), self.checked(passed)]).name == verdict

    def test_it_says_what_failed_and_what_could_not_be_made(self) -> None:
        checks = [self.checked(False, "one"), self.checked(None, "two"), self.checked(True, "three")]
        assert judged(60, 100, 10, None, checks).reason == "one failed; two could not be made"

    @pytest.mark.parametrize(("right", "images"), [(0, 10), (10, 10), (3, 10), (120, 200), (999, 1000)])
    def test_the_interval_is_exact(self, right: int, images: int) -> None:
        """At its ends, what was seen or more extreme has a probability of 2.5 %."""
        low, high = interval_of(right, images)
        assert low <= right / images <= high
        if right > 0:
            assert math.isclose(binom.sf(right - 1, images, low), 0.025, rel_tol=1e-6)
        if right < images:
            assert math.isclose(binom.cdf(right, images, high), 0.025, rel_tol=1e-6)


class TestThresholds:
    def test_all_checks_together_fail_a_sound_model_once_in_a_hundred_audits_at_most(self) -> None:
        """The probability that any exceeds its threshold where each does what it tolerates, by the union bound."""
        checks = len(in_order())
        for images, tolerance in product((10, 50, 200, 1000), (0.005, 0.01, 0.02, 0.05)):
            assert binom.sf(allowed(images, tolerance), images, tolerance) * checks <= RISK

    def test_no_image_no_exception(self) -> None:
        assert allowed(0, 0.05) == 0


class TestLeftAsItWas:
    def noticed(self, model: nn.Module) -> list[object]:
        state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        grads = [parameter.grad for parameter in model.parameters()]
        wanted = [parameter.requires_grad for parameter in model.parameters()]
        modes = [module.training for module in model.modules()]
        hooks = [(len(module._forward_hooks), len(module._backward_hooks)) for module in model.modules()]
        return [state, grads, wanted, modes, hooks, torch.get_rng_state()]

    @pytest.mark.parametrize("fails_after", [None, 3, 40])
    def test_also_after_an_error(self, fails_after: int | None) -> None:
        class Counting(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner, self.norm, self.dropout = affine(), nn.BatchNorm2d(1), nn.Dropout(0.1)
                self.register_buffer("count", torch.zeros(()))
                self.inner[1].weight.requires_grad_(False)
                self.calls = 0

            def forward(self, x: Tensor) -> Tensor:
                self.count += 1
                self.calls += 1
                if fails_after is not None and self.calls > fails_after:
                    raise KeyboardInterrupt
                logits: Tensor = self.inner(self.dropout(self.norm(x)))
                return logits

        model = Counting().train()
        images, labels = examples(model.inner)
        before = self.noticed(model)
        if fails_after is None:
            lab.audit(model, images, labels, eps=0.1)
        else:
            with pytest.raises(KeyboardInterrupt):
                lab.audit(model, images, labels, eps=0.1)
        torch.testing.assert_close(self.noticed(model), before, rtol=0, atol=0)


class TestBookkeeping:
    def failed(self, model: nn.Module, images: Tensor, labels: Tensor) -> set[str]:
        audit = lab.audit(model, images, labels, eps=0.05)
        return {each.name for each in audit.checks if each.family == "bookkeeping" and each.passed is not True}

    def test_a_sound_model_passes(self) -> None:
        model = affine()
        assert self.failed(model, *examples(model)) == set()

    def test_a_model_whose_answer_depends_on_the_batch_is_found(self) -> None:
        class Normed(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = affine()

            def forward(self, x: Tensor) -> Tensor:
                logits: Tensor = self.inner(x)
                return logits - logits.mean(0)

        model = Normed()
        assert "alone and in a batch" in self.failed(model, *examples(model))

    def test_a_model_that_remembers_what_it_was_asked_is_found(self) -> None:
        """It falls to what it has not seen, and never twice."""

        class Remembering(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = affine()
                self.seen: dict[bytes, int] = {}

            def forward(self, x: Tensor) -> Tensor:
                logits: Tensor = self.inner(x)
                turned = torch.zeros(len(x), dtype=torch.long)
                for place, image in enumerate(x.detach()):
                    key = image.numpy().tobytes()
                    turned[place] = self.seen.get(key, 0) // 2
                    self.seen[key] = self.seen.get(key, 0) + 1
                return torch.stack([row.roll(int(by)) for row, by in zip(logits, turned, strict=True)])

        model = Remembering()
        assert self.failed(model, *examples(model.inner)) & {"scored afresh", "nothing at ε = 0"}


class TestBadInput:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"eps": 0}, "eps must be above 0, got 0"),
            ({"eps": -0.1}, "eps must be a finite number of at least 0, got -0.1"),
            ({"norm": "l1"}, "norm must be one of 'linf', 'l2', got 'l1'"),
            ({"budget": "huge"}, "budget must be one of 'quick', 'standard', 'full', got 'huge'"),
            ({"claim": 45}, r"claim must be in \[0, 1\], got 45"),
            ({"seed": -1}, "seed must be at least 0, got -1"),
        ],
    )
    def test_it_is_refused_in_a_line(self, settings: dict[str, object], message: str) -> None:
        model = affine()
        with pytest.raises((ValueError, TypeError), match=message):
            lab.audit(model, *examples(model), **{"eps": 0.1, **settings})  # type: ignore[arg-type]
