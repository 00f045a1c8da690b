"""What is to be searched: the table `[search]` of a study file, as a validated record."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    model_validator,
)

from dropover.lab.records.rows import AUDIT
from dropover.lab.study import FunctionSettings, Study

Sampler = Literal["tpe", "gp", "nsga2", "random"]
Schedule = Literal["constant", "rising", "falling"]
SCORE = "score"
"""The setting by which a function of the user's own is told which images to score."""
_UNITS = {"s": 1, "m": 60, "h": 3600}


class SearchError(ValueError):
    """A search that can't go on: why, in a line."""


def _time(text: str) -> str:
    if seconds_of(text) <= 0:
        raise ValueError("must be a time above 0 such as 90s, 45m or 2h")
    return text


def seconds_of(text: str) -> float:
    """The seconds of a time such as 90s, 45m or 2h; 0 if it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    return float(match[1]) * _UNITS[match[2]] if match else 0.0


def _distinct(values: list[Any]) -> list[Any]:
    if any(values.count(value) > 1 for value in values):
        raise ValueError("has a value twice")
    return values


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RangeSettings(_Table):
    """From where to where a setting is searched."""

    low: Annotated[float, Field(allow_inf_nan=False)]
    high: Annotated[float, Field(allow_inf_nan=False)]
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> "RangeSettings":
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be above 0 where log = true, got {self.low:g}")
        return self


def _allowed(given: Any) -> Any:
    """A range goes through; what is none must be values, so that one that is neither is refused as neither."""
    if isinstance(given, RangeSettings | dict):
        return given
    if (
        not isinstance(given, list)
        or not given
        or not all(isinstance(each, bool | int | float | str) for each in given)
    ):
        raise ValueError("must be a range such as { low = 0.1, high = 0.5 }, or values such as [0.1, 0.5]")
    return _distinct(given)


Allowed = Annotated[RangeSettings | list[bool | int | float | str], BeforeValidator(_allowed)]


class SearchSettings(_Table):
    """The space, what counts in it, and how much it may cost."""

    methods: Annotated[list[str] | None, AfterValidator(lambda names: names and _distinct(names))] = None
    """By default all that can be placed."""
    places: Annotated[list[str] | None, AfterValidator(lambda words: words and _distinct(words))] = None
    """Words as in an arm's `at`; by default those that are found in the network."""
    ranges: dict[str, dict[str, Allowed]] = {}
    """By method and setting, in place of what the method's card says: a range, or values to choose among."""
    schedules: Annotated[list[Schedule], Field(min_length=1), AfterValidator(_distinct)] = ["constant", "rising"]
    """How a rate goes while training does: it is there throughout, rises to it from 0, or falls from it to 0."""
    objectives: Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)] = ["clean"]
    """What is to be good: a measure's name and its level, such as "worst linf 0.1"."""
    trials: PositiveInt | None = None
    """How many trainings the search may have. What ends it, on test images, comes on top."""
    time: Annotated[str | None, AfterValidator(lambda text: text and _time(text))] = None
    """For how long trainings are begun, such as "2h"."""
    race: Annotated[float, Field(gt=0, lt=1)] = 0.4
    """The share of the budget that gives more seeds to what could be best, once enough has been proposed."""
    seeds: Annotated[int, Field(ge=2)] = 5
    """The most seeds that an arm gets in the race."""
    fresh_seeds: Annotated[int, Field(ge=2)] = 5
    """With how many seeds, that the search has never seen, the best are trained again and tested."""
    sampler: Sampler = "tpe"
    seed: int = Field(default=0, ge=0)
    """What the proposals are drawn from."""

    @model_validator(mode="after")
    def _has_a_budget(self) -> "SearchSettings":
        if (self.trials is None) == (self.time is None):
            got = "neither" if self.trials is None else "both"
            raise ValueError(f'needs a budget, either trials = 200 or time = "2h", got {got}')
        return self

    @property
    def seconds(self) -> float | None:
        """The budget in time, in seconds."""
        return None if self.time is None else seconds_of(self.time)


class SearchStudy(_Table):
    """A study whose arms are searched for: the study as its file says it, of the arm without a method alone."""

    study: Study
    search: SearchSettings

    @property
    def searched(self) -> Study:
        """The study as the search runs it: what is scored are the validation images.

        What is audited is audited at the end, unless the audit itself is what is to be good.
        """
        audit = self.study.evaluation.audit and any(words.startswith(AUDIT) for words in self.search.objectives)
        evaluation = self.study.evaluation.model_copy(update={"audit": audit})
        return scored(self.study.model_copy(update={"evaluation": evaluation}), "validation")

    @property
    def tested(self) -> Study:
        """The study as its end runs it: on the test images."""
        return scored(self.study, "test")


def scored(study: Study, on: Literal["validation", "test"]) -> Study:
    """The study, scored on these images; a function of the user's own finds the word among its settings."""
    if study.trial is None:
        return study.model_copy(update={"data": study.data.model_copy(update={"score": on})})
    told = {**study.trial.model_dump(), SCORE: on}
    return study.model_copy(update={"trial": FunctionSettings.model_validate(told)})
