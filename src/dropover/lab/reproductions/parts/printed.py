"""The figures that the two papers print, from reported.json beside the reproductions."""

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

FDD_ARMS = ("none", "dropout", "biased", "spatial", "crossmap", "fdd1d", "fdd2d", "fdd3d")
"""The arms of the FDD paper's table 2, in its order."""

DATA_SETS = {
    "FashionMNIST": "fashion-mnist",
    "CIFAR10": "cifar10",
    "CIFAR100": "cifar100",
    "SVHN": "svhn",
    "MNIST": "mnist",
}
"""The papers' names of the data sets, and ours."""


@dataclass(frozen=True)
class Printed:
    """A figure as printed, in percent."""

    mean: float
    spread: float | None = None


@functools.cache
def reported() -> dict[str, Any]:
    """Everything that is written down of the papers' figures."""
    path = resources.files("dropover.lab") / "reproductions" / "reported.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def fdd_table2() -> dict[str, dict[str, Printed]]:
    """Data set, then arm, to the recognition rate."""
    table = reported()["fdd"]["table2_accuracy"]
    return {
        DATA_SETS[name]: {arm: Printed(table["mean"][arm][i], table["spread"][arm][i]) for arm in FDD_ARMS}
        for i, name in enumerate(table["datasets"])
    }


def fdd_table3() -> dict[tuple[str, str, float], dict[str, Printed]]:
    """Data set, attack and ε, then arm, to the share of the correctly recognised images that stays right."""
    table = reported()["fdd"]["table3_robust_accuracy_linf"]
    return {
        (DATA_SETS[name], attack, float(eps)): dict(
            zip(table["columns"], [Printed(value) for value in values], strict=True)
        )
        for name in ("FashionMNIST", "CIFAR100")
        for attack, levels in table[name].items()
        for eps, values in levels.items()
    }


def fdd_entropies() -> dict[str, float]:
    """Density group to the entropy of its averaged heat map (figure 3)."""
    found = reported()["fdd"]["fig3_heatmap_entropy"]
    return {"low": found["low_density"], "high": found["high_density"]}
