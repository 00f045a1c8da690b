"""The folder of a finished audit: what it found as JSON, its images as safetensors, and how they hold together."""

import dataclasses
import datetime
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from dropover.lab.auditing.checks import Checked
from dropover.lab.auditing.evidence import Attempt
from dropover.lab.auditing.outcome import Audit
from dropover.lab.auditing.state import STATE
from dropover.lab.auditing.verdict import judged
from dropover.lab.digests import of_bytes, of_plain
from dropover.lab.machine import machine, versions
from dropover.lab.records.checked import read_checked, write_checked
from dropover.lab.records.files import DamagedError, write, write_text

FACTS, IMAGES, PAGE = "audit.json", "adversarial.safetensors", "audit.html"
TENSORS = ("images", "labels", "adversarial", "answers", "margin", "stands", "right", "index")
"""The fields of an `Audit` that are kept as tensors."""


def write_audit(
    folder: Path, audit: Audit, identity: Mapping[str, Any], asked: Mapping[str, Any], page: Callable[[str], str]
) -> list[Path]:
    """Write an audit's files, and drop what it would have gone on from.

    Args:
        folder: Made if missing.
        audit: What was found.
        identity: What decides it.
        asked: How the model and the images were named, if they were.
        page: Makes the page, as HTML, of the date.

    Returns:
        The page, the facts, the images.
    """
    tensors = {name: getattr(audit, name).contiguous() for name in TENSORS}
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    write(folder / IMAGES, lambda file: file.write(safetensors.torch.save(tensors)))
    write_text(folder / PAGE, page(date))
    plain = {field.name: getattr(audit, field.name) for field in dataclasses.fields(audit) if field.name not in TENSORS}
    content = {
        **plain,
        "interval": list(audit.interval),
        "felled_by": list(audit.felled_by),
        "checks": [dataclasses.asdict(each) for each in audit.checks],
        "attacks": [dataclasses.asdict(each) for each in audit.attacks],
        "asked": dict(asked),
        "identity": dict(identity),
        "circumstances": {"date": date, **versions(), **machine()},
        "files": {name: of_bytes((folder / name).read_bytes()) for name in (IMAGES, PAGE)},
    }
    write_checked(folder / FACTS, content)
    (folder / STATE).unlink(missing_ok=True)
    return [folder / name for name in (PAGE, FACTS, IMAGES)]


def read_facts(folder: Path) -> dict[str, Any] | None:
    """What audit.json says; None where there is none.

    Raises:
        DamagedError: it is not what was written.
    """
    content = read_checked(folder / FACTS)
    return None if content is None else dict(content)


def read_images(folder: Path) -> dict[str, Tensor]:
    """The kept tensors.

    Raises:
        DamagedError: there are none, or they can't be read.
    """
    try:
        tensors = safetensors.torch.load_file(folder / IMAGES)
        return {name: tensors[name] for name in TENSORS}
    except (OSError, safetensors.SafetensorError, KeyError):
        raise DamagedError("can't be read") from None


def changed_files(folder: Path, facts: Mapping[str, Any]) -> list[str]:
    """The files beside audit.json that are not what was written, or are missing."""
    return [name for name, digest in facts["files"].items() if _digest(folder / name) != digest]


def audit_of(facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Audit:
    """The audit that was written.

    Raises:
        DamagedError: something is missing, or of another kind than was written.
    """
    try:
        plain = [field.name for field in dataclasses.fields(Audit) if field.name not in TENSORS]
        fields: dict[str, Any] = {**{name: facts[name] for name in plain}, **tensors}
        fields["interval"] = tuple(facts["interval"])
        fields["felled_by"] = tuple(facts["felled_by"])
        fields["checks"] = tuple(Checked(**each) for each in facts["checks"])
        fields["attacks"] = tuple(Attempt(**each) for each in facts["attacks"])
        return Audit(**fields)
    except (KeyError, TypeError):
        raise DamagedError("lacks what an audit has") from None


def finished(
    folder: Path, identity: Mapping[str, Any], claim: float | None, notify: Callable[[str], object]
) -> Audit | None:
    """The finished audit of a folder if it is the one that is asked for, judged on this claim; else None.

    One whose files were changed is not taken over, and `notify` is told.
    """
    try:
        facts = read_facts(folder)
        if facts is None or of_plain(facts["identity"]) != of_plain(dict(identity)):
            return None
        changed = [name for name in changed_files(folder, facts) if name != PAGE]
        kept = None if changed else audit_of(facts, read_images(folder))
    except (DamagedError, KeyError) as reason:
        notify(f"{folder / FACTS} {reason}; the audit is made again")
        return None
    if kept is None:
        notify(f"{', '.join(changed)} in {folder} was changed since it was written; the audit is made again")
        return None
    right, count = int(kept.stands.sum()), len(kept.stands)
    verdict = judged(right, count, kept.classes, claim, kept.checks)
    return dataclasses.replace(kept, claim=claim, verdict=verdict.name, reason=verdict.reason)


def _digest(path: Path) -> str | None:
    return of_bytes(path.read_bytes()) if path.is_file() else None
