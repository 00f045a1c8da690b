"""Logits brought to one size, and probabilities back to logits: nothing is lost in the softmax of a cross-entropy."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.subject import Subject
from dropover.lab.auditing.ways import WAYS, Way

_TINY = 1e-30
_SUM = 1e-3


class Rescaled(nn.Module):
    """A model whose logits span 10 for every image; with `probabilities`, of their logarithms."""

    def __init__(self, model: nn.Module, probabilities: bool) -> None:
        super().__init__()
        self._model, self._probabilities = model, probabilities

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of images (N, C, H, W)."""
        logits: Tensor = self._model(x)
        if self._probabilities:
            logits = logits.clamp_min(_TINY).log()
        spread = logits.detach().amax(1, keepdim=True) - logits.detach().amin(1, keepdim=True)
        return 10 * logits / spread.clamp_min(_TINY)


def probable(logits: Tensor) -> Tensor:
    """Which rows of (n, classes) could be probabilities: nothing below 0, and the sum is 1 (bool, n)."""
    return (logits >= 0).all(1) & ((logits.sum(1) - 1).abs() < _SUM)


@contextmanager
def _copy(subject: Subject, _evidence: Evidence) -> Iterator[nn.Module]:
    yield Rescaled(subject.model, bool(probable(subject.clean).all()))


WAYS.add(Way("rescaled logits", "logits are brought to the size that a cross-entropy sees", _copy))
