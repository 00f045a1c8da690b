"""The slope of the model averaged over noise around the image: jagged logits have one there, if not at a point.

Source: averaging as for smoothed classifiers (Salman et al. 2019), used on k-winners-take-all by Tramèr et al. 2020.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject
from dropover.lab.auditing.ways import WAYS, Way

_SPREAD = 0.25
"""Of the noise, a share of ε: less than what the attack may do, more than a jag."""


class _Noisy(nn.Module):
    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self._model, self._norm, self._eps = subject.model, subject.norm, subject.eps

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.randn_like(x)
        unit = noise if self._norm.name == "linf" else self._norm.uphill(noise)
        logits: Tensor = self._model(x + _SPREAD * self._eps * unit)
        return logits


@contextmanager
def _copy(subject: Subject, _evidence: Evidence) -> Iterator[nn.Module]:
    yield _Noisy(subject)


WAYS.add(Way("smoothed", "gradients are averaged over noise around the image", _copy, steps=0.5, draws=8, blind=True))
