"""What a cut-off audit goes on from: one file, written anew after every stage."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dropover.lab.auditing.checks import Checked
from dropover.lab.auditing.evidence import Attempt, Evidence
from dropover.lab.auditing.identity import differences
from dropover.lab.digests import of_plain
from dropover.lab.records.checkpoints import Checkpoints
from dropover.lab.records.files import DamagedError

STATE = "audit.state"
_TENSORS = ("worst", "margin", "stands", "right")


class State:
    """The file of an audit that isn't finished; without a folder nothing is kept.

    Args:
        folder: The audit's folder.
        identity: What decides the result: a file of another audit is not taken over.
        notify: Called with a line about a file that can't be gone on from.
    """

    def __init__(self, folder: Path | None, identity: Mapping[str, Any], notify: Callable[[str], object]) -> None:
        path = None if folder is None else folder / STATE
        self._file = Checkpoints(path, notify=notify, what="the audit")
        self._identity, self._notify = dict(identity), notify

    def take_over(self, evidence: Evidence, checks: list[Checked]) -> list[str]:
        """Put back what was found and checked; returns the names of the stages that were made, none without a file."""
        kept = self._file.read()
        if kept is None:
            return []
        try:
            before, found, attempts = kept["identity"], kept["evidence"], kept["attempts"]
            if of_plain(before) != of_plain(self._identity):
                what = ", ".join(differences(before, self._identity))
                self._notify(f"{self._file.path} is of another audit ({what} differ): the audit begins anew")
                return []
            taken = [Attempt(**each) for each in attempts], [Checked(**each) for each in kept["checks"]]
            tensors = {name: found[name].to(getattr(evidence, name).device) for name in _TENSORS}
            felled_by, curves, done = [*kept["felled_by"]], dict(kept["curves"]), [*kept["done"]]
        except (KeyError, TypeError, AttributeError):
            self._file.refuse(DamagedError("is no audit's"))
            return []
        for name, tensor in tensors.items():
            setattr(evidence, name, tensor)
        evidence.attempts, evidence.felled_by, evidence.curves = taken[0], felled_by, curves
        checks += taken[1]
        return done

    def keep(self, evidence: Evidence, checks: Sequence[Checked], done: Sequence[str]) -> None:
        """Replace the file by what there is now."""
        self._file.write(
            {
                "identity": self._identity,
                "evidence": {name: getattr(evidence, name) for name in _TENSORS},
                "felled_by": evidence.felled_by,
                "curves": evidence.curves,
                "attempts": [dataclasses.asdict(each) for each in evidence.attempts],
                "checks": [dataclasses.asdict(each) for each in checks],
                "done": list(done),
            }
        )
