"""Why trials run again that have run before: what has changed since, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dropover.lab.records.fingerprints import Ingredients
    from dropover.lab.records.store import Trial
    from dropover.lab.study import Study

IMAGES_CHANGED = "the images changed"

_SHOWN = 4
"""How many changes, or arms, are listed before the rest is counted."""
_UNSET = object()


@dataclass(frozen=True)
class Known:
    """A trial in a results' folder, of whatever study and time.

    Attributes:
        study: The study's name.
        arm: The arm's label.
        seed: The seed.
        data: The study's data settings: they say why the images differ, where they do.
        ingredients: What its results were determined by.
        written: When, in seconds.
    """

    study: str
    arm: str
    seed: int
    data: Mapping[str, Any]
    ingredients: Ingredients
    written: float


def why_again(study: Study, missing: Sequence[Trial], known: Sequence[Known]) -> list[str]:
    """One line for each reason that trials of a study run again; none for trials that never ran.

    A trial is held against that of the same study, seed, and arm (by its name or its settings) that it has most in
    common with.

    Args:
        study: The study, which has been checked.
        missing: Its trials that are to be run.
        known: What is there.
    """
    reasons: dict[str, list[str]] = {}
    for trial in missing:
        settings = trial.ingredients["settings"]["arm"]
        earlier = [
            each
            for each in known
            if (each.study, each.seed) == (study.name, trial.seed)
            and (each.arm == trial.arm.label or each.ingredients["settings"]["arm"] == settings)
        ]
        if earlier:
            closest = min(earlier, key=lambda each: (len(_changes(study, trial, each)), -each.written))
            reasons.setdefault(listed(_changes(study, trial, closest)), []).append(trial.arm.label)
    return [_line(study, reason, labels) for reason, labels in reasons.items()]


def changes(before: Ingredients, now: Ingredients) -> list[str]:
    """What differs between the ingredients of two trials, as "torch 2.6.0 -> 2.7.0" or "my_module.py was edited"."""
    return [
        *_settings(before.get("settings", {}), now.get("settings", {})),
        *([IMAGES_CHANGED] if before["data"] != now["data"] else []),
        *_files(before["user code"], now["user code"]),
        *(["dropover's own code changed"] if before["code"] != now["code"] else []),
        *_values("", before["versions"], now["versions"]),
    ]


def _changes(study: Study, trial: Trial, earlier: Known) -> list[str]:
    """The same with the data settings, where these say why the images differ."""
    found = changes(earlier.ingredients, trial.ingredients)
    if IMAGES_CHANGED in found:
        at = found.index(IMAGES_CHANGED)
        found[at : at + 1] = list(_values("data", earlier.data, study.data.model_dump(mode="json"))) or [found[at]]
    return found


def _settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Tables are named as in a study file, the arm's own keys bare: the line names the arm."""
    for table in dict.fromkeys([*now, *before]):
        yield from _values("" if table == "arm" else table, before.get(table, {}), now.get(table, {}))


def _files(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for file in dict.fromkeys([*now, *before]):
        if file not in before:
            yield f"{file} is imported too"
        elif file not in now:
            yield f"{file} is no longer imported"
        elif before[file] != now[file]:
            yield f"{file} was edited"


def _values(key: str, before: Any, now: Any) -> Iterator[str]:
    """Every value that differs, under its key; tables, and as many tables in a list, are gone into."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys([*now, *before]):
            below = f"{key}.{name}" if key else name
            yield from _values(below, before.get(name, _UNSET), now.get(name, _UNSET))
    elif isinstance(before, list) and isinstance(now, list) and _tables(before, now):
        for index, pair in enumerate(zip(before, now, strict=True)):
            yield from _values(f"{key}[{index}]", *pair)
    elif before != now:
        yield f"{key} {_shown(before)} -> {_shown(now)}"


def _tables(before: Sequence[Any], now: Sequence[Any]) -> bool:
    return len(before) == len(now) and all(isinstance(each, Mapping) for each in (*before, *now))


def _shown(value: Any) -> str:
    """A value in a few words; a table by its name."""
    if value is _UNSET or value is None:
        return "unset"
    if isinstance(value, Mapping):
        return str(value.get("name", "a table"))
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return str(value)


def _line(study: Study, reason: str, labels: Sequence[str]) -> str:
    arms = list(dict.fromkeys(labels))
    whose = "" if len(arms) == len(study.arms) else f"{listed(arms)}: "
    count = f"{len(labels)} trial{'s run' if len(labels) > 1 else ' runs'} again"
    return f"{whose}{reason}; {count}"


def listed(parts: Sequence[str]) -> str:
    """The first few in a row, and how many more there are."""
    more = len(parts) - _SHOWN
    return ", ".join(parts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
