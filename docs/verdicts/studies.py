"""Studies that are made up, thousands at a time: where their truth is known, a verdict can be checked.

Residuals are normal, heavy-tailed, or those of the real trials in docs/findings; spreads are equal or not.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dropover.lab.judging.model import Floats
from dropover.lab.judging.scales import Shares

FINDINGS = Path(__file__).parent.parent / "findings"
MEASURES = [("clean", None)] + [(name, eps) for name in ("fgsm", "square", "worst") for eps in (0.03, 0.1)]
SMOOTHING = 0.3
"""Six values give few different samples: each draw is moved by a normal with this share of the arm's spread."""


@dataclass(frozen=True)
class Kind:
    """How the residuals of a study come about: their shape, and each arm's spread over the narrowest one's."""

    title: str
    shape: str
    spreads: tuple[float, ...] = ()

    def residuals(self, generator: np.random.Generator, studies: int, arms: int, seeds: int) -> Floats:
        """(studies, arms, seeds), the first arm is the reference; without any difference between arms."""
        size = (studies, arms, seeds)
        if self.shape == "normal":
            drawn = generator.standard_normal(size)
        elif self.shape == "t3":
            drawn = generator.standard_t(3, size) / np.sqrt(3)
        else:
            drawn = _resampled(generator, size, by_arm=self.shape != "real")
        if self.shape == "real by arm, signs":
            drawn = drawn * generator.choice([-1.0, 1.0], size)
        spreads = np.resize(self.spreads, arms) if self.spreads else np.ones(arms)
        return drawn * spreads[None, :, None]


def real() -> list[tuple[Floats, Floats]]:
    """Of each measure of the two kept studies the logits: every arm's mean, and the residuals of arms × seeds."""
    found = []
    for name in ("fashion-mnist", "mnist-5k"):
        table = pd.read_csv(FINDINGS / f"{name}.csv")
        for measure, level in MEASURES:
            rows = table[
                (table["measure"] == measure) & (table["level"].isna() if level is None else table["level"] == level)
            ]
            values = rows.pivot_table(index="arm", columns="seed", values="value", sort=False).to_numpy()
            y = Shares().judged(values)
            arms, seeds = y.shape
            fitted = y.mean(1, keepdims=True) + y.mean(0, keepdims=True) - y.mean()
            # Least squares takes from each residual its share of the degrees of freedom; that is given back.
            found.append((y.mean(1), (y - fitted) * np.sqrt(arms * seeds / ((arms - 1) * (seeds - 1)))))
    return found


def _resampled(generator: np.random.Generator, size: tuple[int, int, int], *, by_arm: bool) -> Floats:
    """Residuals of real trials, each study's of one measure; by arm, or of all the measure's arms together."""
    studies, arms, _ = size
    sources = np.stack([residuals for _, residuals in real()])
    which = generator.integers(len(sources), size=studies)
    if by_arm:
        chosen = np.argsort(generator.random((studies, sources.shape[1])), axis=1)[:, :arms, None]
    else:
        chosen = generator.integers(sources.shape[1], size=size)
    drawn = sources[which[:, None, None], chosen, generator.integers(sources.shape[2], size=size)]
    own = sources.std(2)[which[:, None, None], chosen] if by_arm else sources.std((1, 2))[which][:, None, None]
    moved = drawn + SMOOTHING * own * generator.standard_normal(size)
    scale = sources.std((1, 2))[which][:, None, None]
    return moved / scale / np.sqrt(1 + SMOOTHING**2)


KINDS = [
    Kind("normal, equal spreads", "normal"),
    Kind("heavy-tailed (t with 3 degrees of freedom), equal spreads", "t3"),
    Kind("real residuals, of all arms together (equal spreads)", "real"),
    Kind("real residuals, each arm its own (unequal spreads), signs at random", "real by arm, signs"),
    Kind("normal, one arm's spread 5 times the others'", "normal", (1, 5, 1, 1, 1, 1, 1, 1, 1, 1)),
    Kind("normal, the reference's spread 3 times the others'", "normal", (3, 1, 1, 1, 1, 1, 1, 1, 1, 1)),
    Kind("normal, the reference's spread 10 times the others'", "normal", (10, 1, 1, 1, 1, 1, 1, 1, 1, 1)),
    Kind("normal, spreads 10, 6.3, 4, 2.5, 1.6, 1", "normal", (10, 6.3, 4, 2.5, 1.6, 1)),
    Kind("heavy-tailed, the reference's spread 5 times the others'", "t3", (5, 1, 1, 1, 1, 1, 1, 1, 1, 1)),
    Kind("real residuals, each arm its own, as they are (some arms collapse in one seed of six)", "real by arm"),
]
