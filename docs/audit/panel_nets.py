"""The panel's nets by name: what is planted in each, and what is true of it.

Each is a factory too: `dropover audit panel_nets:FACTORY`, where FACTORY is the name with _ for -, makes it for seed 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import masks
import random_masks
from torch import nn
from training import data, trained

from dropover.lab.data.parts.loading import balanced_prefix

IMAGES = 200
"""How many test images each net is audited on."""
Truth = Literal["sound", "masked", "fallen"]
RIGHT: dict[Truth, tuple[str, ...]] = {
    "sound": ("supported",),
    "masked": ("broken", "upper bound only"),
    "fallen": ("broken",),
}
"""The verdicts that are right for a truth, given without a claim."""


@dataclass(frozen=True)
class Entry:
    """A net of the panel.

    Attributes:
        planted: What is done to it, in a phrase.
        truth: "sound": as robust as it looks; "masked": it falls, and something hides that; "fallen": it falls, and
            nothing hides that from a strong attack.
        why: How that is known.
        bases: The trained nets that it is made of.
        wrap: Makes it of these.
        eps: The radius, in L∞.
        inside: Makes of them the net without what is around it, whose worst case is the true figure.
        allowed: The verdicts that are right for it, where they aren't those of its truth.
    """

    planted: str
    truth: Truth
    why: str
    bases: tuple[str, ...]
    wrap: Callable[..., nn.Module] = lambda net: net
    eps: float = 0.25
    inside: Callable[..., nn.Module] = lambda net, *_: net
    allowed: tuple[str, ...] = ()

    @property
    def right(self) -> tuple[str, ...]:
        """The verdicts that are right for it."""
        return self.allowed or RIGHT[self.truth]


_SAME = "the net inside is the plain one, whose fall is measured without the mask"
_OWN = "APGD on the margin leaves it no better than guessing"
_DRAWN = "averaged over draws it falls like the plain net inside"


def _masked(planted: str, wrap: Callable[..., nn.Module], *more: str, why: str = _SAME, **others: Any) -> Entry:
    return Entry(planted, "masked", why, ("plain", *more), wrap, **others)


def _memorised(net: nn.Module) -> nn.Module:
    known = balanced_prefix(data().test_labels, IMAGES)
    return masks.Memorised(net, data().test_images[known] / 255, data().test_labels[known], 0.3)


def _not_a_number(net: nn.Module) -> nn.Module:
    first_zero = int((data().test_labels == 0).nonzero()[0])
    return masks.NotANumber(net, data().test_images[first_zero] / 255)


ENTRIES: dict[str, Entry] = {
    "plain": Entry("nothing", "fallen", _OWN, ("plain",)),
    "logits-times-1000": _masked("its logits × 1,000", lambda net: masks.Scaled(net, 1e3)),
    "logits-over-1000": _masked("its logits ÷ 1,000", lambda net: masks.Scaled(net, 1e-3)),
    "quantized": _masked("its pixels rounded to 8 levels", masks.Quantized),
    "steep": _masked("its pixels through a sigmoid too steep to have a slope", masks.Steep),
    "winners": Entry(
        "k-winners-take-all instead of ReLU",
        "masked",
        "its activations jump, which hides the slope; it falls all the same",
        ("winners",),
    ),
    "probabilities": _masked("sharp probabilities returned for logits", masks.Probabilities),
    "detached": _masked("a detach in the middle, with a faint useless path beside it", masks.Detached),
    "zero-backward": _masked("a backward in the middle that says 0", masks.ZeroBackward),
    "sap": _masked("stochastic activation pruning after every layer", random_masks.Pruned, why=_DRAWN),
    "dropout-kept": Entry("dropout kept on at inference", "masked", _DRAWN, ("dropout",), random_masks.DropoutKept),
    "resized": _masked("random resizing of the input", random_masks.Resized, why=_DRAWN),
    "fdd1d": Entry("trained with FDD-1D without rescaling", "fallen", _OWN, ("fdd1d",)),
    "flipover": Entry("trained with Flipover", "fallen", _OWN, ("flipover",)),
    "fgsm-overfit": Entry("trained on FGSM until it overfits to it", "fallen", _OWN, ("fgsm",)),
    "pgd-weak": Entry("trained on PGD, ε 0.1", "sound", "nothing hides its gradient", ("pgd-weak",), eps=0.1),
    "pgd": Entry("trained on PGD, ε 0.2", "sound", "nothing hides its gradient", ("pgd",), eps=0.2),
    "pgd-dropout": Entry(
        "trained on PGD, ε 0.2, with dropout in training",
        "sound",
        "nothing hides its gradient",
        ("pgd-dropout",),
        eps=0.2,
    ),
    "not-a-number": Entry(
        "trained on PGD, ε 0.2; NaN for one image, which `argmax` counts as right",
        "masked",
        "its figure counts an image that it gives no answer for",
        ("pgd",),
        _not_a_number,
        0.2,
        allowed=("upper bound only",),
    ),
    "abstains": _masked(
        "an eleventh class, “I abstain”", masks.Abstaining, why="an abstention is no right answer; the net inside falls"
    ),
    "noisy-input": _masked("noise added to the input", random_masks.NoisyInput, why=_DRAWN),
    "noisy-logits": _masked("a random vector added to the logits", random_masks.NoisyLogits, why=_DRAWN),
    "jpeg": _masked("what JPEG loses", masks.Jpeg),
    "median": _masked("a median filter", masks.Median),
    "of-the-batch": _masked("logits normalised over the batch", random_masks.OfTheBatch),
    "purified": _masked("the input moved by gradient steps before it is answered", masks.Purified),
    "annealed": _masked("logits saturated where the net is sure", masks.Annealed),
    "straight-through": _masked("pixels at two bits, with a backward that hides it", masks.StraightThrough),
    "misled": _masked("a backward that points the other way", masks.Misled),
    "thermometer": _masked("pixels as thermometers", masks.Thermometer),
    "votes": _masked(
        "three nets voting by hard labels",
        masks.Voting,
        "dropout",
        "flipover",
        why="the mean of their logits, which has a gradient, falls",
        inside=masks.Together,
    ),
    "memorised": _masked(
        "the stored answer for known test images and all that is near",
        _memorised,
        why="no attack reaches beyond what it remembers; its figure is of these images alone, and the net inside falls",
        allowed=("upper bound only",),
    ),
    "alternating": _masked("two nets that answer by turns", random_masks.Alternating, "dropout", inside=masks.Together),
}


def load(name: str, seed: int) -> tuple[nn.Module, float]:
    """The net of that name for that seed, trained if it isn't there yet, and the radius of its audit in L∞."""
    entry = ENTRIES[name]
    return entry.wrap(*(trained(base, seed) for base in entry.bases)).eval(), entry.eps


def __getattr__(name: str) -> Callable[[], nn.Module]:
    entry = name.replace("_", "-")
    if entry not in ENTRIES:
        raise AttributeError(f"panel_nets has no net {name!r}: it has {', '.join(ENTRIES)}")
    return lambda: load(entry, 0)[0]
