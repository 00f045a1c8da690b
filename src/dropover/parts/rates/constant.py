"""The same rate for every unit."""

from dataclasses import dataclass

from dropover import validation
from dropover.parts import schedules
from dropover.parts.rates.base import Rates
from dropover.parts.schedules import Rate
from dropover.parts.units import View

__all__ = ["ConstantRate"]


@dataclass(frozen=True)
class ConstantRate(Rates):
    """The same rate `p` for every unit: a number, or a schedule, which a layer turns into one as training goes on."""

    p: Rate
    uniform = True

    def __post_init__(self) -> None:
        validation.settle(self, p=schedules.check("p", self.p))

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and greatest rate."""
        return schedules.bounds(self.p)

    @property
    def scheduled(self) -> bool:
        """Whether `p` is a schedule."""
        return callable(self.p)

    def at(self, progress: float) -> float:
        """The rate at a progress of training in [0, 1]."""
        return schedules.rate_at(self.p, progress)

    def __call__(self, units: View) -> float:
        """The rate; `TypeError` for a schedule."""
        if callable(self.p):
            raise TypeError(
                f"p must be a number here, got {self.p!r}: a function knows no progress of training; a layer follows "
                "schedules, or pass the schedule's value"
            )
        return self.p


def constant(name: str, p: Rate) -> ConstantRate:
    """A constant rate given as the argument called `name`, which an error then names."""
    return ConstantRate(schedules.check(name, p))


def as_rates(rates: Rates | Rate) -> Rates:
    """The rule that a user's number or schedule means: a constant rate."""
    return rates if isinstance(rates, Rates) else constant("rates", rates)
