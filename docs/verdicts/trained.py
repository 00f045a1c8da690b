"""How much could be found at all: a rule that is trained for the very rows in which it has to keep 5 %."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from dropover.lab.judging.model import Floats, Layout

STEPS, BATCH, WIDTH = 2000, 700, 32
RATE = 3e-3
STRICTNESS = 0.3
"""By how much a row's false alarms get more weight with each step that they are too many."""


def rule(null: Sequence[Layout], true: Layout, alpha: float, seed: int) -> Callable[[Layout], Floats]:
    """Half of each interval as a network gives it from the spreads of the two arms and of the others.

    It is trained to find the last arm's difference in as many of the studies `true` as it can while at most alpha of
    the studies of every row of `null` have any difference found. So it knows the rows, as no rule of a study can.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(6, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, 1))
        studies = [*null, true]
        spreads = torch.stack([_spreads(each) for each in studies])
        gaps = torch.stack([_log_gaps(each) for each in studies])
        weights = torch.full((len(null),), 1.0)
        adam = torch.optim.Adam(net.parameters(), RATE)
        falling = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.01, STEPS)
        for step in range(STEPS):
            drawn = torch.randint(spreads.shape[1], (BATCH,))
            over = gaps[:, drawn] - net(spreads[:, drawn]).squeeze(-1)
            # A step from 0 to 1 has no slope: it starts gentle and becomes steep.
            passes = torch.sigmoid((8 + 25 * step / STEPS) * over)
            alarms = 1 - (1 - passes[:-1]).prod(-1).mean(1)
            loss = (
                weights @ (alarms - alpha)
                + 20 * (alarms - alpha).clamp(min=0).square().sum()
                - passes[-1, :, -1].mean()
            )
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
            falling.step()
            told = (over[:-1] > 0).any(-1).float().mean(1)
            weights = (weights + STRICTNESS * (told - alpha)).clamp(min=0)

    def half(study: Layout) -> Floats:
        with torch.no_grad():
            logs = net(_spreads(study)).squeeze(-1).numpy().astype(np.float64)
        return np.asarray(np.exp(logs) * np.sqrt(study.variance)[:, None])

    return half


def _spreads(study: Layout) -> Tensor:
    """(studies, comparisons, 6): logarithms of the arm's, the reference's and, sorted, the other arms' variances."""
    logs = np.log(study.spreads / study.variance[:, None] + 1e-9)
    arms = logs.shape[1]
    others = np.stack([np.sort(np.delete(logs, [0, arm], axis=1), axis=1) for arm in range(1, arms)], axis=1)
    first = np.repeat(logs[:, None, :1], arms - 1, axis=1)
    return torch.tensor(np.concatenate([logs[:, 1:, None], first, others], axis=2), dtype=torch.float32)


def _log_gaps(study: Layout) -> Tensor:
    gaps = np.abs(study.effects[:, 1:] - study.effects[:, :1]) / np.sqrt(study.variance)[:, None]
    return torch.tensor(np.log(gaps + 1e-9), dtype=torch.float32)
