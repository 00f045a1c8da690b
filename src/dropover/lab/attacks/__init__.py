"""Attacks on a trained model: one file per attack, found by the registry `ATTACKS`."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dropover.lab.attacks.parts.task import CleanPass, Task, Terms, clean_pass, model_untouched, targets_of
from dropover.registry import Registry

_COMMON = [entry.name for entry in dataclasses.fields(Terms)]


@dataclass(frozen=True)
class Attack:
    """An attack by name.

    `perturb(task, **settings)` returns for each ε of the task adversarial images, within ε of the clean ones and within
    [0, 1]. Its keyword-only arguments are the attack's own settings, refused by `ValueError` or `TypeError`. `loss`
    says what it climbs: a cross-entropy, whose gradient large logits hide, or a margin between logits, whose gradient
    they don't; "score" reads no gradient. `norms` are those it can be held to, the first by default.
    """

    name: str
    aliases: tuple[str, ...]
    summary: str
    perturb: Callable[..., list[Tensor]]
    loss: Literal["cross-entropy", "margin", "score"] = "cross-entropy"
    norms: tuple[str, ...] = ("linf", "l2")

    @property
    def settings(self) -> list[str]:
        """The names of all its settings, its own and then those that every attack has."""
        parameters = inspect.signature(self.perturb).parameters.values()
        return [*(each.name for each in parameters if each.kind is each.KEYWORD_ONLY), *_COMMON]

    def terms(self, settings: dict[str, Any]) -> Terms:
        """The settings that every attack has, checked: `norm`, `target`, `units`, `std`, `eot`."""
        common = {name: settings[name] for name in _COMMON if name in settings}
        terms = Terms(**{"norm": self.norms[0], **common})
        if terms.norm not in self.norms:
            raise ValueError(f"norm must be {' or '.join(map(repr, self.norms))} for {self.name}, got {terms.norm!r}")
        return terms

    def run(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        eps: Sequence[float],
        generator: torch.Generator,
        clean: CleanPass | None = None,
        **settings: Any,
    ) -> list[Tensor]:
        """Attack the images that the model gets right; the others stay as they are.

        Where the model is deterministic, an image that falls at one ε is not attacked again at a larger one, in whose
        ball it is: the images at an ε are the best that were found up to it. (Not so `fgsm`: one step of every size.)

        Args:
            model: Maps images to logits. It is left exactly as it was found, also after an error.
            images: Pixels in [0, 1], of shape (N, C, H, W).
            labels: Their classes, of shape (N,).
            eps: Radii of the balls, rising, at least 0.
            generator: Gives one number, whatever the model is like: from it all random numbers of the attack follow.
            clean: What a clean pass over these images has shown, if there was one.
            settings: The attack's own and those of `Terms`.

        Returns:
            Adversarial images for each ε.

        Raises:
            ValueError: a setting out of range; `eps` not rising.
            TypeError: a setting that the attack doesn't have, or of the wrong type.
        """
        terms = self.terms(settings)
        if list(eps) != sorted(set(eps)) or min(eps, default=0) < 0:
            raise ValueError(f"eps must rise from at least 0, got {list(eps)}")
        norm = terms.norm_for(images)
        seed = int(torch.randint(2**62, (), generator=generator))
        with model_untouched(model):
            clean = clean or clean_pass(model, images)
            targets = targets_of(terms.target, clean, labels, torch.Generator().manual_seed(seed))
            draws = terms.eot if clean.random else 1
            task = Task(model, images.detach(), labels, list(eps), norm, targets, clean, draws, seed)
            return self.perturb(task, **{name: settings[name] for name in settings if name not in _COMMON})


ATTACKS: Registry[Attack] = Registry("attack", __name__)
