"""More draws: where inference is random, gradients averaged over more passes (Athalye et al. 2018)."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject
from dropover.lab.auditing.ways import WAYS, Way


@contextmanager
def _copy(subject: Subject, _evidence: Evidence) -> Iterator[nn.Module | None]:
    # Only where the audit's own number of draws wasn't enough for two averages to agree.
    yield subject.model if subject.random and subject.draws >= subject.budget.draws else None


WAYS.add(Way("more draws", "gradients are averaged over more passes", _copy, steps=0.5, draws=64))
