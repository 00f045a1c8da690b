"""How far an audit is: its share of the planned work, which shrinks as images fall."""

from collections.abc import Callable, Iterable

from dropover.lab.auditing.evidence import Evidence
from dropover.lab.auditing.stages import GRADIENT, Stage
from dropover.lab.auditing.subject import Subject

Report = Callable[[float, str], object]
"""Told the share that is done, in [0, 1] and never less than before, and what is going on."""


class Progress:
    """Tells a `Report` how far an audit is, while stages run too.

    Work is counted in forward passes; what is still to come is expected to meet the images that stand by now.
    """

    def __init__(self, report: Report, subject: Subject, evidence: Evidence, planned: Iterable[Stage]) -> None:
        self._report, self._subject, self._evidence = report, subject, evidence
        self._coming = list(planned)
        self._behind = self._told = 0.0
        self._now: Stage | None = None
        self._expected = 0.0
        self._at = self._passes

        # A function and not the method: whoever copies the model must not copy all this with it.
        def heard() -> None:
            self.tell()

        subject.model.heard = heard

    def begin(self, stage: Stage) -> None:
        """A stage begins."""
        self._coming = [each for each in self._coming if each.name != stage.name]
        self._now, self._expected, self._at = stage, self._cost(stage), self._passes
        self.tell()

    def end(self) -> None:
        """It has ended, or was taken over."""
        self._behind += self._expected
        self._expected = 0.0
        self.tell()

    def tell(self) -> None:
        """Tell how far it is."""
        inside = min(self._passes - self._at, self._expected)
        total = self._behind + self._expected + sum(map(self._cost, self._coming))
        share = (self._behind + inside) / total if total else 1.0
        self._told = max(self._told, share)
        self._report(self._told, self._now.name if self._now else "")

    @property
    def _passes(self) -> float:
        model = self._subject.model
        return model.forwards + (GRADIENT - 1) * model.gradients

    def _cost(self, stage: Stage) -> float:
        return stage.standing * int(self._evidence.stands.sum()) + stage.fixed
