"""A study file on disk: read, and checked whole before anything is computed."""

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dropover.lab.checks import problems_of
from dropover.lab.study import Study


class StudyError(ValueError):
    """A study file that can't be run. The message has one line for each thing that is wrong."""


BUILT_IN = "main"


def built_in_path(name: str = BUILT_IN) -> Path:
    """Where the study file of that name lies inside the package."""
    return Path(str(resources.files("dropover.lab") / "studies" / f"{name}.toml"))


def load_study(path: Path, seeds: int | None = None) -> Study:
    """Read and check a study file; with `seeds`, run that many seeds instead of the file's.

    Raises:
        StudyError: the file is missing, is not TOML, or asks for what can't be run. One line for each problem.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StudyError(f"{path}: there is no such study file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: can't be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f"{path}: is not valid TOML: {error}") from None
    if seeds is not None:
        raw["seeds"] = seeds
    try:
        study = Study.model_validate(raw)
    except ValidationError as error:
        raise StudyError("\n".join(f"{path}: {_line(detail)}" for detail in error.errors())) from None
    problems = problems_of(study)
    if problems:
        raise StudyError("\n".join(f"{path}: {problem}" for problem in problems))
    return study


def _line(detail: ErrorDetails) -> str:
    """One problem found by pydantic, as `key: what is wrong (got value)`."""
    key = _key(detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    if detail["type"] == "missing":
        return f"{key}: is missing"
    message = detail["msg"].removeprefix("Value error, ")
    value = detail["input"]
    shown = "" if isinstance(value, dict | list) else f", got {value!r}"
    return f"{key}: {message}{shown}" if key else message


def _key(location: Sequence[int | str]) -> str:
    key = ""
    for part in location:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return key
