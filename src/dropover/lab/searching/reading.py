"""A search's file, checked whole before anything runs, and whether its folder is its own."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dropover.lab.models.parts.building import NONE
from dropover.lab.records.files import write_text
from dropover.lab.running.study_file import StudyError, read_study, try_out, validated, well_formed
from dropover.lab.searching.budget import Budget, budget_of
from dropover.lab.searching.objectives import Objective, objectives_of
from dropover.lab.searching.settings import SCORE, RangeSettings, SearchSettings, SearchStudy
from dropover.lab.searching.space import Space, SpaceError, space_of

IDENTITY = "search.json"
_LOCK = "search.lock"
END = "end"
"""The folder, in the search's, of the study that ends it on the test images."""
_BUDGET = ("search.trials", "search.time")
_OF_A_STUDY = ("study.toml", "results.csv", "trials")
"""What `dropover compare` leaves in a folder."""
_FREE = ("device",)
"""What may change at any time: where it is computed."""


@dataclass(frozen=True)
class Plan:
    """A search that can be run: its file, and what follows from it."""

    file: SearchStudy
    space: Space
    objectives: list[Objective]
    budget: Budget


def read_search(path: Path, scale: str | None = None, variant: str | None = None, **options: Any) -> SearchStudy:
    """The search that a file describes, its keys, types and names checked; options replace keys of the study.

    Raises:
        StudyError: one line for each problem.
    """
    return search_of({**read_study(path, scale, variant), **options}, str(path))


def search_of(raw: Mapping[str, Any], origin: str) -> SearchStudy:
    """The search that `raw` describes; see `read_search`."""
    if not isinstance(raw.get("search"), dict):
        line = 'is missing: a table such as [search] with objectives = ["clean"] and trials = 200'
        raise StudyError(f"{origin}: search: {line}")
    for key in ("arms", "reference"):
        if key in raw:
            raise StudyError(f"{origin}: {key}: has no effect in a search, which makes its own arms: leave it out")
    for key, given in _ranges(raw["search"]):
        validated(RangeSettings, given, origin, key)
    search = validated(SearchSettings, raw["search"], origin, "search")
    rest = {key: value for key, value in raw.items() if key != "search"}
    arms = [{"name": NONE, "method": NONE}]
    study = well_formed({**rest, "arms": arms, "reference": NONE}, origin)
    if study.trial is None and not study.data.validation:
        line = "must be above 0: a search chooses by the training images that are held out, and reads test images once"
        raise StudyError(f"{origin}: data.validation: {line}, got 0")
    if study.trial is not None and SCORE in study.trial.settings:
        raise StudyError(f"{origin}: trial.{SCORE}: is what a search tells the function itself: leave it out")
    return SearchStudy(study=study, search=search)


def planned(file: SearchStudy, origin: str, *, elsewhere: bool = False) -> Plan:
    """What follows from a search's file, all of it tried out on something tiny.

    Raises:
        StudyError: the study can't be run, the space is empty or contradicts itself, an objective is measured by no
            trial, or the budget is too small.
    """
    try_out(file.searched, origin, elsewhere=elsewhere)
    try_out(file.tested, origin, elsewhere=elsewhere)
    try:
        space = space_of(file.searched, file.search)
    except SpaceError as error:
        raise StudyError(f"{origin}: {error}") from error
    try:
        objectives = objectives_of(file.search.objectives, file.searched)
    except ValueError as error:
        raise StudyError(f"{origin}: search.objectives: {error}") from None
    try:
        budget = budget_of(file.search, len(space.places))
    except ValueError as error:
        raise StudyError(f"{origin}: search.trials: {error}") from None
    return Plan(file, space, objectives, budget)


def claim(folder: Path, file: SearchStudy, origin: str) -> None:
    """Make the folder this search's, or see that it is; its budget may be changed until the test images were read.

    Raises:
        StudyError: it holds another search, or a study's results, or the file was edited since.
    """
    path = folder / IDENTITY
    asked = file.model_dump(mode="json")
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        name = there["study"]["name"]
    except FileNotFoundError:
        if any((folder / each).exists() for each in _OF_A_STUDY):
            line = "holds the results of a study that is no search: name another folder with --out"
            raise StudyError(f"{folder}: {line}") from None
        write_text(path, json.dumps(asked, indent=1))
        return
    except (ValueError, LookupError, TypeError):
        raise StudyError(f"{path}: is damaged, so that it can't be told whose folder this is: use another") from None
    if name != file.study.name:
        raise StudyError(f"{folder}: holds another search, {name!r}: name another folder with --out")
    changed = [key for key in _differences(there, asked) if key not in _FREE]
    if edited := [key for key in changed if key not in _BUDGET]:
        line = f"was edited since the search in {folder} began ({', '.join(edited)})"
        raise StudyError(f"{origin}: {line}: undo that, or name another folder with --out")
    if changed and (folder / END).exists():
        line = "no more can be searched, since the test images were read at its end: name another folder with --out"
        raise StudyError(f"{folder}: {line}")
    if changed:
        write_text(path, json.dumps(asked, indent=1))


def _ranges(search: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The ranges of a table `[search]`, unchecked, by their keys: each is refused as what it is, and not as values."""
    by_method = search.get("ranges")
    for method, settings in by_method.items() if isinstance(by_method, dict) else ():
        for setting, given in settings.items() if isinstance(settings, dict) else ():
            if isinstance(given, dict):
                yield f"search.ranges.{method}.{setting}", given


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While no other process searches in the folder: two would take each other's proposals for ones that were given up.

    The system frees the lock of a process that ends, however it ends. Where there are no locks, nothing is refused.

    Raises:
        StudyError: another process does.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with (folder / _LOCK).open("a") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            line = "a search is running in it already: wait for its end, or name another folder with --out"
            raise StudyError(f"{folder}: {line}") from None
        except OSError:
            pass  # a file system without locks
        yield


def _differences(before: Any, after: Any, key: str = "") -> list[str]:
    """The keys, as a file has them, whose values differ."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [] if before == after else [key.removeprefix(".").removeprefix("study.")]
    names = dict.fromkeys((*before, *after))
    return [each for name in names for each in _differences(before.get(name), after.get(name), f"{key}.{name}")]
