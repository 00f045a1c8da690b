"""The attacks beside foolbox's and the Adversarial Robustness Toolbox's: several trained nets, real digits.

One step is compared number by number. Searches are compared by what they fell: `parity` says how, how seldom that
accuses an attack that is as strong, and how weak an attack it finds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from . import parity
from .opponents import Subject, foolbox, foolboxs, ours, same_starts, subjects, toolboxs

IMAGES = 500
"""Of each net: enough to find a weaker attack at the shares that fall, see `test_a_weaker_attack_is_found`."""


@dataclass(frozen=True)
class Duel:
    """Our attack, and the other's: a function of a net with its images, ε and the number of images in a unit."""

    name: str
    norm: str
    eps: float
    other: Callable[[Subject, float, int], Tensor]
    settings: dict[str, Any] = field(default_factory=dict)
    images: int = IMAGES
    unit: int = 1

    def __str__(self) -> str:
        return f"{self.name}-{self.norm}"


def climbing(attack: type[foolbox.Attack]) -> Callable[[Subject, float, int], Tensor]:
    return lambda subject, eps, _: foolboxs(subject, attack(rel_stepsize=0.1, steps=10), eps)


def auto_pgd(norm: str, loss: str) -> Callable[[Subject, float, int], Tensor]:
    def run(subject: Subject, eps: float, _: int) -> Tensor:
        from art.attacks.evasion import AutoProjectedGradientDescent

        settings = {"eps": eps, "eps_step": 2 * eps, "max_iter": STEPS, "nb_random_init": 1, "batch_size": IMAGES}
        order = np.inf if norm == "linf" else 2
        return toolboxs(
            subject,
            lambda view: AutoProjectedGradientDescent(view, norm=order, loss_type=loss, verbose=False, **settings),
        )

    return run


def carlini_wagner(subject: Subject, eps: float, _: int) -> Tensor:
    attack = foolbox.attacks.L2CarliniWagnerAttack(binary_search_steps=3, steps=50, stepsize=0.05, initial_const=1.0)
    return subject.near(foolboxs(subject, attack, 30.0), eps)


def deep_fool(norm: str) -> Callable[[Subject, float, int], Tensor]:
    kind = {"linf": foolbox.attacks.LinfDeepFoolAttack, "l2": foolbox.attacks.L2DeepFoolAttack}[norm]
    return lambda subject, eps, _: foolboxs(subject, kind(steps=STEPS, candidates=CLASSES), eps)


def squares(norm: str) -> Callable[[Subject, float, int], Tensor]:
    def run(subject: Subject, eps: float, unit: int) -> Tensor:
        from art.attacks.evasion import SquareAttack

        order, settings = np.inf if norm == "linf" else 2, {"max_iter": QUERIES, "batch_size": unit, "verbose": False}
        return toolboxs(subject, lambda view: SquareAttack(view, norm=order, eps=eps, **settings), unit)

    return run


STEPS, QUERIES, CLASSES = 20, 100, 4
BY_ADAM = {"searches": 3, "steps": 50, "lr": 0.05, "c": 1.0}
BY_CLASS = {"steps": STEPS, "classes": CLASSES - 1}  # DeepFool counts the right class among its candidates
BY_STEPS, BY_SEARCH = {"steps": STEPS}, {"queries": QUERIES + 1}  # the toolbox doesn't count the first stripes
DUELS = [
    Duel("bim", "linf", 0.18, climbing(foolbox.attacks.LinfBasicIterativeAttack)),
    Duel("bim", "l2", 2.6, climbing(foolbox.attacks.L2BasicIterativeAttack)),
    Duel("pgd", "linf", 0.18, climbing(foolbox.attacks.LinfProjectedGradientDescentAttack)),
    Duel("pgd", "l2", 2.6, climbing(foolbox.attacks.L2ProjectedGradientDescentAttack)),
    Duel("apgd", "linf", 0.18, auto_pgd("linf", "cross_entropy"), BY_STEPS),
    Duel("apgd", "l2", 2.6, auto_pgd("l2", "cross_entropy"), BY_STEPS),
    Duel("apgd-dlr", "linf", 0.18, auto_pgd("linf", "difference_logits_ratio"), BY_STEPS),
    Duel("apgd-dlr", "l2", 2.6, auto_pgd("l2", "difference_logits_ratio"), BY_STEPS),
    Duel("apgd-margin", "linf", 0.18, auto_pgd("linf", "difference_logits_ratio"), BY_STEPS),
    Duel("apgd-margin", "l2", 2.6, auto_pgd("l2", "difference_logits_ratio"), BY_STEPS),
    Duel("apgd-t", "linf", 0.18, auto_pgd("linf", "difference_logits_ratio"), BY_CLASS),
    Duel("apgd-t", "l2", 2.6, auto_pgd("l2", "difference_logits_ratio"), BY_CLASS),
    Duel("fab", "linf", 0.18, deep_fool("linf"), BY_CLASS),
    Duel("fab", "l2", 2.6, deep_fool("l2"), BY_CLASS),
    Duel("cw", "l2", 3.4, carlini_wagner, BY_ADAM, images=250),
    Duel("square", "linf", 0.4, squares("linf"), BY_SEARCH, images=850, unit=25),
    Duel("square", "l2", 6.5, squares("l2"), BY_SEARCH, images=850, unit=25),
]


@pytest.fixture(scope="module")
def nets() -> list[Subject]:
    return subjects()


def fallen(duel: Duel, nets: list[Subject]) -> tuple[list[bool], list[bool]]:
    """Which images of all nets ours fells, and which the other."""
    own, other = [], []
    with same_starts():
        for net in nets:
            subject, unit = net.first(duel.images), duel.unit if duel.unit > 1 else None
            found = ours(subject, duel.name, duel.eps, unit, norm=duel.norm, **duel.settings)
            own.append(subject.falls(found))
            other.append(subject.falls(duel.other(subject, duel.eps, duel.unit)))
    return list(chain(*own)), list(chain(*other))


@pytest.mark.filterwarnings("ignore")  # the toolbox warns of numpy and of logging settings, none of them ours
@pytest.mark.parametrize(
    "duel", [pytest.param(each, marks=[pytest.mark.long] * (each.name == "square")) for each in DUELS], ids=str
)
def test_a_search_is_no_weaker_than_the_others(duel: Duel, nets: list[Subject]) -> None:
    own, other = fallen(duel, nets)
    counts = f"ours fells {sum(own)}, the other {sum(other)} of {len(own)}"
    assert not parity.is_weaker(own, other, duel.unit), counts
    assert sum(other) >= 0.7 * len(other), f"{counts}: too few for a weaker attack to be found"


def test_they_are_as_many_as_their_level_is_for() -> None:
    assert len(DUELS) == parity.COMPARISONS


def test_an_attack_of_fewer_steps_is_found_weaker(nets: list[Subject]) -> None:
    duel = replace(DUELS[0], settings={"steps": 7})
    own, other = fallen(duel, nets)
    assert sum(own) < (1 - parity.WEAKER) * sum(other)
    assert parity.is_weaker(own, other)


@pytest.mark.parametrize(
    ("norm", "eps", "theirs"),
    [("linf", 0.15, foolbox.attacks.LinfFastGradientAttack()), ("l2", 1.5, foolbox.attacks.L2FastGradientAttack())],
)
def test_fgsm_is_foolboxs(norm: str, eps: float, theirs: foolbox.Attack, nets: list[Subject]) -> None:
    # In float64 no unit is so near its bend, and no gradient so near 0, that another order of sums turns it.
    for net in nets:
        subject = net.first(100).double()
        assert torch.allclose(ours(subject, "fgsm", eps, norm=norm), foolboxs(subject, theirs, eps), atol=1e-9)


def test_carlini_wagner_is_as_near_as_foolboxs(nets: list[Subject]) -> None:
    further = []
    for net in nets:
        subject = net.first(75)
        found = ours(subject, "cw", 30.0, **BY_ADAM)
        other = carlini_wagner(subject, 30.0, 1)
        own, others = ((x - subject.images).flatten(1).norm(dim=1) for x in (found, other))
        both = (own > 0) & (others > 0)
        further.append((own / others)[both])
    assert float(torch.cat(further).median()) < 1.03
