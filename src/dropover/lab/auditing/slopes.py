"""The margin and its gradient at any points, as a check sees them: averaged over draws that it can repeat."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dropover.lab.attacks.parts.losses import margin
from dropover.lab.auditing.subject import Subject, stream
from dropover.lab.streams import seeded

_PIECE = 250


@dataclass(frozen=True)
class Slopes:
    """Of n points: the margin of the best wrong logit (n,), and its gradient (n, C, H, W)."""

    margins: Tensor
    gradients: Tensor


def slopes(subject: Subject, points: Tensor, which: Tensor, label: str, draws: int = 1) -> Slopes:
    """The margin and its gradient at points (n, C, H, W), made from the images `which` (n,).

    Both are means over so many draws. The same `label` means the same draws, so that two calls see one function, also
    where inference is random.
    """
    return _averaged(subject, points, which, label, draws, wanted=True)


def margins(subject: Subject, points: Tensor, which: Tensor, label: str, draws: int = 1) -> Tensor:
    """The margin (n,) alone; see `slopes`."""
    return _averaged(subject, points, which, label, draws, wanted=False).margins


def _averaged(subject: Subject, points: Tensor, which: Tensor, label: str, draws: int, wanted: bool) -> Slopes:
    away, slope = torch.zeros(len(points), device=points.device), torch.zeros_like(points)
    everything = torch.arange(len(points), device=points.device)
    for draw in range(draws):
        for number, part in enumerate(torch.split(everything, _PIECE) if len(points) else ()):
            point = points[part].detach().requires_grad_(wanted)
            name = f"{stream(label)} {draw} {number}"
            with seeded(subject.seed, name, points.device), torch.set_grad_enabled(wanted):
                values = margin(subject.model(point), subject.labels[which[part]])
            if wanted:
                (of_draw,) = torch.autograd.grad(values.sum(), point)
                slope[part] += of_draw / draws
            away[part] += values.detach() / draws
    return Slopes(away, slope)
