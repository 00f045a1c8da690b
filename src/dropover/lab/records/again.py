"""Why trials run again that have run before: what has changed since, in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dropover.lab.records.fingerprints import Ingredients
from dropover.lab.records.trials import TrialKey
from dropover.lab.study import Study

IMAGES_CHANGED = "the images changed"

_LISTED = 4
"""How many changes, or arms, are listed before the rest is counted."""
_UNSET = object()
_UNSAID = {"device": "cpu", "precision": "fp32", "devices_per_trial": 1}
"""How trials were computed that don't say so."""


@dataclass(frozen=True)
class EarlierTrial:
    """A trial in a results' folder, of whatever study and time.

    Its data settings say why the images differ, where they do; `written` is when, in seconds.
    """

    study: str
    arm: str
    seed: int
    data: Mapping[str, Any]
    ingredients: Ingredients
    written: float


def why_again(study: Study, missing: Sequence[TrialKey], earlier: Sequence[EarlierTrial]) -> list[str]:
    """One line for each reason that the missing trials of a study run again; none for trials that never ran.

    A trial is held against that of the same study, seed, and arm (by its name or its settings) that it has most in
    common with.
    """
    reasons: dict[str, list[str]] = {}
    of_seed: dict[int, list[EarlierTrial]] = {}
    for each in earlier:
        if each.study == study.name:
            of_seed.setdefault(each.seed, []).append(each)
    for trial in missing:
        settings = trial.ingredients["settings"]["arm"]
        differences = [
            (_changes(study, trial, each), -each.written)
            for each in of_seed.get(trial.seed, [])
            if each.arm == trial.arm.label or each.ingredients["settings"]["arm"] == settings
        ]
        if differences:
            fewest, _ = min(differences, key=lambda one: (len(one[0]), one[1]))
            reasons.setdefault(listed(fewest), []).append(trial.arm.label)
    return [_line(study, reason, labels) for reason, labels in reasons.items()]


def changes(before: Ingredients, now: Ingredients) -> list[str]:
    """What differs between the ingredients of two trials, as "torch 2.6.0 -> 2.7.0" or "my_module.py was edited"."""
    return [
        *_settings(before.get("settings", {}), now.get("settings", {})),
        *([IMAGES_CHANGED] if before["data"] != now["data"] else []),
        *_values("", {**_UNSAID, **before.get("computed", {})}, {**_UNSAID, **now.get("computed", {})}),
        *_files(before["user code"], now["user code"]),
        *(["dropover's own code changed"] if before["code"] != now["code"] else []),
        *_values("", before["versions"], now["versions"]),
    ]


def _changes(study: Study, trial: TrialKey, earlier: EarlierTrial) -> list[str]:
    """The same with the data settings, where these say why the images differ."""
    lines = changes(earlier.ingredients, trial.ingredients)
    if IMAGES_CHANGED in lines:
        at = lines.index(IMAGES_CHANGED)
        lines[at : at + 1] = list(_values("data", earlier.data, study.data.model_dump(mode="json"))) or [lines[at]]
    return lines


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
    elif _are_tables(before) and _are_tables(now) and len(before) == len(now):
        for index, pair in enumerate(zip(before, now, strict=True)):
            yield from _values(f"{key}[{index}]", *pair)
    elif before != now:
        yield f"{key} {_in_words(before)} -> {_in_words(now)}"


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)


def _in_words(value: Any) -> str:
    """A value in a few words; a table by its name."""
    if value is _UNSET or value is None:
        return "unset"
    if isinstance(value, Mapping):
        return str(value.get("name", "a table"))
    if isinstance(value, list):
        return f"[{', '.join(map(_in_words, value))}]"
    return str(value)


def _line(study: Study, reason: str, labels: Sequence[str]) -> str:
    arms = list(dict.fromkeys(labels))
    whose = "" if len(arms) == len(study.arms) else f"{listed(arms)}: "
    count = f"{len(labels)} trial{'s run' if len(labels) > 1 else ' runs'} again"
    return f"{whose}{reason}; {count}"


def listed(parts: Sequence[str]) -> str:
    """The first few in a row, and how many more there are."""
    more = len(parts) - _LISTED
    return ", ".join(parts[:_LISTED]) + (f" and {more} more" if more > 0 else "")
