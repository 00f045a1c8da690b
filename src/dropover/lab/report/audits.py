"""`lab.audit`: an audit of a model in hand, kept in a folder if there is one."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from dropover.lab.auditing.audit import Asked, audited
from dropover.lab.auditing.budgets import BudgetName
from dropover.lab.auditing.keeping import finished, write_audit
from dropover.lab.auditing.outcome import Audit
from dropover.lab.auditing.progress import Report
from dropover.lab.report.auditing import render


def audit(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    eps: float,
    norm: str = "linf",
    claim: float | None = None,
    budget: BudgetName = "quick",
    seed: int = 0,
    twins: Sequence[nn.Module] = (),
    out: str | Path | None = None,
    report: Report | None = None,
    classes: Sequence[str] | None = None,
    title: str = "",
    asked: Mapping[str, Any] | None = None,
    tell: Callable[[str], object] = lambda line: sys.stderr.write(f"{line}\n"),
) -> Audit:
    """Try everything to fell a model's images within a ball, check that the trying was sound, and judge.

    Args:
        model: Maps images with pixels in [0, 1] to logits; it is left as it was, also after an error.
        images: Of shape (N, C, H, W), in [0, 1] or bytes. A budget may take the first of each class only.
        labels: Their classes (N,).
        eps: The radius of the ball around each image, in pixels, above 0.
        norm: "linf" or "l2".
        claim: The robust accuracy that is claimed, in [0, 1].
        budget: "quick", "standard" or "full".
        seed: Of everything that is drawn.
        twins: Further models of the same classes, on the model's device, whose adversarial examples are tried on it:
            other arms of a study, or the same net trained without a defense. They too are left as they were.
        out: A folder for audit.html, audit.json and adversarial.safetensors. What was found is kept there after every
            attack and check: an audit that was cut off goes on from there, and a finished one of the same model, images
            and settings is taken over.
        report: Called with the share of the work that is done and with what is going on.
        classes: Names of the classes, by their numbers.
        title: What the model is called on the page.
        asked: What else audit.json says of how the model and the images were named.
        tell: Called with a line about a file in the folder that can't be gone on from, which begins anew.

    Raises:
        TypeError, ValueError: an argument out of range, or a model that returns no logits.
        OSError: the files can't be written.
    """
    terms, folder = Asked(eps, norm, claim, budget, seed), None if out is None else Path(out)
    if folder is None:
        return audited(model, images, labels, terms, twins=twins, report=report)[0]
    folder.mkdir(parents=True, exist_ok=True)
    earlier = partial(finished, folder, claim=claim, notify=tell)
    found, identity = audited(model, images, labels, terms, folder, twins, earlier, report, tell)
    names = tuple(map(str, range(found.classes))) if classes is None else tuple(classes)
    page = partial(render, found, title or type(model).__name__, names, dict(asked or {}))
    write_audit(folder, found, identity, asked or {}, page)
    return found
