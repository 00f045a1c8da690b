"""A trial as boards have it: curves, final figures, and the settings that tell its arm from others."""

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence

from dropover.lab.records.labels import label
from dropover.lab.records.rows import WORST, Row, of_audit
from dropover.lab.study import Arm, Study

FINAL = "final/"
"""What the names of final figures begin with: a function may log by steps what it returns, too."""
SPREAD = "spread/"
"""What the names of standard deviations over seeds begin with."""
Points = dict[tuple[str, int], float]
"""Values by name and step. Boards have whole steps: others are rounded."""


def points(study: Study, rows: Iterable[Row]) -> Points:
    """All that rows say: what was logged at its step, and final figures at step 0, their names begun by `FINAL`."""
    scored = {WORST, *study.evaluation.noise, *(attack.label for attack in study.evaluation.attacks)}
    found: Points = {}
    for row in rows:
        if (
            row.level is not None
            and row.inference_rate is None
            and row.measure not in scored
            and not of_audit(row.measure)
        ):
            found[row.measure, round(row.level)] = row.value
        else:
            found[FINAL + _name(row), 0] = row.value
    return found


def over_seeds(seeds: Sequence[Points]) -> Points:
    """The mean of what all seeds have, and where there are several the standard deviation, begun by `SPREAD`."""
    values: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for each in seeds:
        for place, value in each.items():
            values[place].append(value)
    found: Points = {}
    for (name, step), there in values.items():
        if len(there) == len(seeds):
            finite = all(map(math.isfinite, there))
            found[name, step] = statistics.fmean(there) if finite else math.nan
            if len(there) > 1:
                found[SPREAD + name, step] = statistics.stdev(there) if finite else math.nan
    return found


def final(there: Points) -> dict[str, float]:
    """The final figures among values."""
    return {name: value for (name, _), value in there.items() if name.startswith(FINAL)}


def settings(arm: Arm) -> dict[str, str | float]:
    """What an arm is: its name, its method, and the method's settings; as text what is no number."""
    at = {} if arm.at is None else {"at": arm.at}
    plain = {name: _plain(value) for name, value in {**arm.settings, **at}.items()}
    return {**plain, "arm": arm.label, "method": arm.method}


def _name(row: Row) -> str:
    name = label(row.measure, row.level, row.norm, row.of, row.inference_rate)
    level = row.level if row.inference_rate is None else row.inference_rate
    return name if level is None else f"{name} {level:g}"


def _plain(value: object) -> str | float:
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    return json.dumps(value, default=str)
