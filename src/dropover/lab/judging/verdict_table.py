"""The verdicts as a table: one row for each arm but the reference, at each measure and level."""

from collections.abc import Iterator

import pandas as pd

from dropover.lab.judging.comparison import Judge, attacks_in, decided, levels, values_at, worst_levels
from dropover.lab.judging.measures import returned
from dropover.lab.records import rows
from dropover.lab.records.labels import WORST
from dropover.lab.study import Study

COLUMNS = (
    "arm", "measure", "level", "norm", "reference", "difference", "low", "high", "verdict", "method", "seeds",
    "seeds_needed",
)  # fmt: skip


def verdict_table(table: pd.DataFrame, study: Study, judge: Judge | None = None) -> pd.DataFrame:
    """What is decided at clean accuracy and at every level of each noise, attack and worst case.

    What the user's own function has returned comes before them. The worst case is judged where every attack of its norm
    ran. Measure, level and norm are those of the long table; what there is none of is empty. Differences and intervals
    are in the measure's own units, of shares in [0, 1].
    """
    made: list[tuple[object, ...]] = []
    for label, level, norm in _places(table, study):
        measure = rows.WORST if label in WORST.values() else label
        values = values_at(table, study, label, level)
        made += [
            (each.arm, measure, level, norm, each.reference, each.difference, each.low, each.high, each.verdict,
             each.method, each.seeds, each.seeds_needed)
            for each in (decided(values, study, label, judge).comparisons if any(values.values()) else ())
        ]  # fmt: skip
    numbers = dict.fromkeys(("level", "difference", "low", "high"), "float64")
    return pd.DataFrame(made, columns=list(COLUMNS)).astype({**numbers, "seeds": "int64", "seeds_needed": "Int64"})


def _places(table: pd.DataFrame, study: Study) -> Iterator[tuple[str, float | None, str]]:
    """The label, level and norm of all that is judged."""
    yield from ((name, None, "") for name in (*returned(table, study), rows.CLEAN))
    yield from ((noise, level, "") for noise in study.evaluation.noise for level in levels(table, noise))
    for norm, worst in WORST.items():
        for attack in attacks_in(study, norm):
            yield from ((attack.label, eps, norm) for eps in levels(table, attack.label))
        yield from ((worst, eps, norm) for eps in worst_levels(table, study, norm))
