"""A surrogate: a twin that learns the model's answers near the images too (Papernot et al. 2017)."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject
from dropover.lab.auditing.twin import distilled
from dropover.lab.auditing.ways import WAYS, Way


@contextmanager
def _copy(subject: Subject, _evidence: Evidence) -> Iterator[nn.Module]:
    yield distilled(subject, "surrogate", width=16, epochs=10, rounds=3)


_SUMMARY = "a net that was taught the model's answers is attacked in its place"
WAYS.add(Way("surrogate", _SUMMARY, _copy, steps=0.75, draws=1, blind=True))
