"""A study file on disk: read, and checked whole before anything is computed."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dropover.lab.blame import Problem
from dropover.lab.study import Scale, Study
from dropover.lab.study.names import folder_name
from dropover.registry import did_you_mean

SCALES: tuple[str, ...] = get_args(Scale)
NUMBERS = ("seeds", "data", "model", "training", "evaluation")
"""What a scale may change. Arms, reference and name are what the study is, at any scale."""


class StudyError(ValueError):
    """A study file that can't be run. The message has one line for each thing that is wrong, `lines` has them apart."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


BUILT_IN = "main"
TableT = TypeVar("TableT", bound=BaseModel)


def built_in_path(name: str = BUILT_IN) -> Path:
    """Where the study file of that name lies inside the package."""
    return Path(str(resources.files("dropover.lab") / "studies" / f"{name}.toml"))


def well_formed(raw: Mapping[str, Any], origin: str) -> Study:
    """The study that `raw` describes, its keys, types and names checked; whether it can be run here isn't tried yet.

    Raises:
        StudyError: one line for each problem, beginning with `origin`.
    """
    if isinstance(raw.get("search"), dict):
        line = f"is for dropover search {origin}, which finds arms: run that, or put [[arms]] in its place"
        raise StudyError(f"{origin}: search: {line}")
    return validated(Study, raw, origin)


def validated(kind: type[TableT], raw: Mapping[str, Any], origin: str, key: str = "") -> TableT:
    """The record that a table describes, which the file has under a key, if any; raises like `well_formed`."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        raise StudyError(*(f"{origin}: {_line(detail, key)}" for detail in error.errors())) from None


def try_out(study: Study, origin: str, *, elsewhere: bool = False) -> None:
    """Try every part of a study on something tiny, the user's own code too; raises like `well_formed`.

    One that is run `elsewhere` has a device that this machine needn't have.
    """
    # Imported here, so that what only reads study files doesn't wait for torch.
    from dropover.lab.running.checks import problems_of

    problems = problems_of(study, elsewhere=elsewhere)
    if problems:
        raise StudyError(*(Problem(f"{origin}: {problem}", problem.cause) for problem in problems))


def checked(raw: Mapping[str, Any], origin: str, *, elsewhere: bool = False) -> Study:
    """The study that `raw` describes, checked whole: `well_formed` and tried out."""
    study = well_formed(raw, origin)
    try_out(study, origin, elsewhere=elsewhere)
    return study


def read_study(path: Path, scale: str | None = None, variant: str | None = None) -> dict[str, Any]:
    """What a study file says at one scale, in one variant, unchecked.

    A file may hold tables `[scales.smoke]`, `[scales.laptop]`, `[scales.paper]`, and `[variants.NAME]`: the one asked
    for is laid over the rest, table by table; attacks and arms by their label or name, and any other list replaces the
    list there. The variant comes last. Where no scale is asked for, it is the file's own `scale`.

    Raises:
        StudyError: the file is missing, is not TOML, or has no such scale or variant.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"{path}: there is no such study file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: can't be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path}: is not valid TOML: {error}") from None
    scales, variants = raw.pop("scales", {}), raw.pop("variants", {})
    _check_scales(path, scales)
    _check_variants(path, variants)
    own_scale = str(raw.get("scale", "laptop"))
    if scale is not None and scale not in (scales or [own_scale]):
        raise StudyError(f"{path}: {_no_such('scale', scale, list(scales or [own_scale]))}")
    if variant is not None and variant not in variants:
        raise StudyError(f"{path}: {_no_such('variant', variant, list(variants))}")
    merged = _laid_over(raw, scales.get(scale or own_scale, {}))
    if variant is not None:
        merged = _laid_over(merged, variants[variant])
    return {**merged, "scale": scale or own_scale}


def _check_scales(path: Path, scales: Any) -> None:
    if not isinstance(scales, dict):
        raise StudyError(f"{path}: scales: must be tables [scales.NAME], got {scales!r}")
    for name, table in scales.items():
        if name not in SCALES:
            raise StudyError(f"{path}: scales.{name}: {_no_such('scale', name, SCALES)}")
        if not isinstance(table, dict):
            raise StudyError(f"{path}: scales.{name}: must be a table, got {table!r}")
        for key in table:
            if key not in NUMBERS:
                allowed = ", ".join(NUMBERS)
                raise StudyError(f"{path}: scales.{name}.{key}: scales differ in numbers only: {allowed}")


def _check_variants(path: Path, variants: Any) -> None:
    if not isinstance(variants, dict):
        raise StudyError(f"{path}: variants: must be tables [variants.NAME], got {variants!r}")
    for name, table in variants.items():
        try:
            folder_name(name)
        except ValueError as error:
            raise StudyError(f"{path}: variants: {error}, got {name!r}") from None
        if not isinstance(table, dict):
            raise StudyError(f"{path}: variants.{name}: must be a table, got {table!r}")


def _laid_over(below: Any, above: Any) -> Any:
    """Tables merged key by key, lists of named tables name by name; of anything else the upper one counts."""
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{key: _laid_over(below.get(key), value) for key, value in above.items()}}
    lower, upper = _by_name(below), _by_name(above)
    if lower is not None and upper is not None:
        return list(_laid_over(lower, upper).values())
    return above


def _by_name(value: Any) -> dict[str, Any] | None:
    """Tables of a list by what each is called, if all have a name: arms, or attacks, whose labels tell norms apart."""
    if not isinstance(value, list) or not all(isinstance(table, dict) and "name" in table for table in value):
        return None
    return {str(table.get("label", table["name"])): table for table in value}


def _no_such(kind: str, name: str, known: Sequence[str]) -> str:
    there_are = f"known are {', '.join(known)}" if known else "it has none"
    return f"no {kind} {name!r}: {did_you_mean(name, known, most=1)}{there_are}"


def _line(detail: ErrorDetails, table: str) -> str:
    """One problem found by pydantic in a table, as `key: what is wrong (got value)`."""
    parts = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"])
    key = f"{table}{parts}".removeprefix(".")
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    if detail["type"] == "missing":
        return f"{key}: is missing"
    message = detail["msg"].removeprefix("Value error, ")
    value = detail["input"]
    got = "" if isinstance(value, dict | list) else f", got {value!r}"
    return f"{key}: {message}{got}" if key else message
