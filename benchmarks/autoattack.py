"""The audit beside reference AutoAttack (Croce & Hein 2020): images that stand, gradients, forward passes, seconds.

Both attack the same images of the same nets, small CNNs trained on attacked images. A forward pass counts once for each
image in it, a gradient once for each image that it is taken of, both at the model itself; the audit's are those of all
its checks too. The reference runs its standard version as published. It is no dependency of the project: it is imported
from the folder in AUTOATTACK, or from where pip has put it. `python benchmarks/autoattack.py`
"""

import argparse
import importlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from dropover.lab import audit
from dropover.lab.attacks import ATTACKS
from dropover.lab.auditing.budgets import BudgetName
from dropover.lab.data import Data
from dropover.lab.data.parts.loading import load_data
from dropover.lab.examples import pixels
from dropover.lab.models.parts.building import build_model
from dropover.lab.streams import BATCHES, generator
from dropover.lab.study import Study
from dropover.lab.training.loop import train

Reference = Callable[..., Any]
MISSING = "the reference is missing: pip install git+https://github.com/fra31/auto-attack"


@dataclass(frozen=True)
class Subject:
    """A net to be trained on attacked images, and the ball that it is attacked in."""

    data: str
    norm: str
    eps: float
    width: float = 0.25
    epochs: int = 6

    def __str__(self) -> str:
        return f"{self.data} {self.norm} {self.eps:g}"


SUBJECTS = [
    Subject("mnist-5k", "linf", 0.1),
    Subject("mnist-5k", "linf", 0.2),
    Subject("mnist-5k", "l2", 1.5),
    Subject("fashion-mnist", "linf", 0.1),
    Subject("fashion-mnist", "linf", 0.05),
    Subject("fashion-mnist", "l2", 1.0),
]


class Counted(nn.Module):
    """A model that counts the images in its passes, and those whose gradient is taken."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.forwards, self.gradients = model, 0, 0

    def forward(self, x: Tensor) -> Tensor:
        """The model's logits."""
        self.forwards += len(x)
        if torch.is_grad_enabled() and x.requires_grad:
            x = x.view_as(x)
            x.register_hook(self._count)
        logits: Tensor = self.model(x)
        return logits

    def _count(self, gradient: Tensor) -> None:
        self.gradients += len(gradient)


def trained(subject: Subject, folder: Path) -> tuple[nn.Module, Data]:
    """The subject's net, from the folder or trained into it: on clean images first, then on attacked ones."""
    study = Study.model_validate(
        {
            "data": {"name": subject.data, **({"train_limit": 8000} if subject.data != "mnist-5k" else {})},
            "model": {"width": subject.width},
            "training": {"epochs": 2, "lr": 0.02},
            "arms": [{"method": "none"}],
            "seeds": 1,
        }
    )
    data = load_data(study.data)
    model = build_model(study, study.arms[0], 0, data)
    file = folder / f"{subject.data}-{subject.norm}-{subject.eps:g}-{subject.width:g}-{subject.epochs}.pt"
    if file.exists():
        model.load_state_dict(torch.load(file, weights_only=True))
        return model.eval(), data
    train(model, data, study.training, 0, "none")
    batches = -(-len(data.train_labels) // 64)
    optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, subject.epochs * batches)
    order, draws = generator(0, BATCHES), generator(0, "benchmark")
    for epoch in range(subject.epochs):
        # A full ball from the first batch on would leave some nets guessing.
        eps = subject.eps * min(1, (epoch + 1) / 3)
        for part in torch.randperm(len(data.train_labels), generator=order).split(64):
            images, labels = pixels(data.train_images[part]), data.train_labels[part]
            settings = {"norm": subject.norm, "steps": 5, "step": 0.4}
            (attacked,) = ATTACKS.get("pgd").run(model, images, labels, [eps], draws, **settings)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(attacked), labels).backward()
            optimizer.step()
            schedule.step()
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), file)
    return model.eval(), data


def ours(model: nn.Module, images: Tensor, labels: Tensor, subject: Subject, budget: BudgetName) -> Tensor:
    """Which images stand at the end of an audit."""
    return audit(model, images, labels, eps=subject.eps, norm=subject.norm, budget=budget).stands


def theirs(reference: Reference, model: nn.Module, images: Tensor, labels: Tensor, subject: Subject) -> Tensor:
    """Which images stand after AutoAttack's standard version."""
    norm = {"linf": "Linf", "l2": "L2"}[subject.norm]
    judge = reference(model, norm=norm, eps=subject.eps, seed=0, version="standard", device="cpu", verbose=False)
    attacked = judge.run_standard_evaluation(images, labels, bs=250)
    with torch.no_grad():
        return model(attacked).argmax(1) == labels


def reference() -> Reference:
    """The class `AutoAttack`; ends the program in one line where there is none."""
    # This file, in the first folder that a script imports from, has the package's name.
    sys.path.remove(str(Path(__file__).parent))
    if folder := os.environ.get("AUTOATTACK"):
        sys.path.insert(0, folder)
    try:
        found: Reference = importlib.import_module("autoattack").AutoAttack
    except ImportError:
        raise SystemExit(MISSING) from None
    return found


def main() -> None:
    """Train the nets, or read them, let both attack them, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--budget", choices=get_args(BudgetName), default="standard", help="of the audit")
    parser.add_argument("--nets", type=Path, default=Path("results/autoattack"), help="folder of the trained nets")
    parser.add_argument("--only", default="", help="nets whose line in the table contains this")
    options = parser.parse_args()
    judge = reference()
    print(f"{options.images} images, budget {options.budget}, {torch.get_num_threads()} thread(s)")
    print("net                      by            stand   gradients    forwards   seconds   share of its gradients")
    for subject in (each for each in SUBJECTS if options.only in str(each)):
        model, data = trained(subject, options.nets)
        images, labels = pixels(data.test_images[: options.images]), data.test_labels[: options.images]
        counts = {}
        for name, run in (
            ("AutoAttack", lambda net, x, y, s=subject: theirs(judge, net, x, y, s)),
            ("the audit", lambda net, x, y, s=subject: ours(net, x, y, s, options.budget)),
        ):
            counted, started = Counted(model), time.perf_counter()
            stand = int(run(counted, images, labels).sum())
            took, counts[name] = time.perf_counter() - started, counted.gradients
            share = counts[name] / counts["AutoAttack"]
            figures = f"{stand:6} {counted.gradients:11,} {counted.forwards:11,} {took:9.1f}   {share:8.3f}"
            print(f"{subject!s:24} {name:11} {figures}", flush=True)


if __name__ == "__main__":
    main()
