"""What an arm would come to, told from arms that were really trained: a forest on table.csv, and the noise of a seed.

The forest tells an arm's mean over seeds from its method, place, settings and schedule. One seed's figures are that and
what two seeds of one of the nearest arms of the table, of the same method, lay apart.
"""

import json
import math
from collections.abc import Mapping
from random import Random
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor
from table import TABLE

from dropover.lab.searching import race
from dropover.lab.searching.reading import Plan
from dropover.methods import Range

NEAREST = 5
TREES = 100
Pair = tuple[float, ...]
Chosen = Mapping[str, Any]


class Landscape:
    """See the module.

    Attributes:
        told: By objective how well the forest tells arms that it has not seen: R² of those left out of each tree.
        arms: How many were trained.
        floor: Where hypervolumes begin: the worst figures of the front of the arms' means, or those of the middle arm
            where they are lower still.
        ceiling: Where they end: the best figures of this front.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        words = [each.words for each in plan.objectives]
        rows = pd.read_csv(TABLE)
        pairs = {str(arm): of_arm.sort_values("seed") for arm, of_arm in rows.groupby("arm", sort=False)}
        none = pairs.pop("none")[words].to_numpy()
        pairs = {arm: of_arm for arm, of_arm in pairs.items() if len(of_arm) == 2}
        self._chosen: list[Chosen] = [json.loads(of_arm["chosen"].iloc[0]) for of_arm in pairs.values()]
        values = np.array([of_arm[words].to_numpy() for of_arm in pairs.values()])
        self.arms = len(values)
        # Each half of two seeds' distance, up or down, scaled to the spread of one seed.
        self._apart = (values[:, 0] - values[:, 1]) / math.sqrt(2)
        means = values.mean(axis=1)
        self._columns = sorted({key for chosen in self._chosen for key in self._features(chosen)})
        inputs = self._matrix(self._chosen)
        self._forest = ExtraTreesRegressor(TREES, bootstrap=True, oob_score=True, random_state=0).fit(inputs, means)
        unseen = self._forest.oob_prediction_
        left = ((means - unseen) ** 2).sum(axis=0) / ((means - means.mean(axis=0)) ** 2).sum(axis=0)
        self.told = dict(zip(words, (1 - left).tolist(), strict=True))
        self._inputs = inputs
        self._none: Pair = tuple(none.mean(axis=0).tolist())
        by_arm = dict(zip(pairs, map(tuple, means.tolist()), strict=True))
        best = list(zip(*(by_arm[arm] for arm in race.front(by_arm)), strict=True))
        middle = np.median(means, axis=0).tolist()
        self.floor = tuple(min(half, *column) for half, column in zip(middle, best, strict=True))
        self.ceiling = tuple(map(max, best))

    def worth(self, chosen: Chosen) -> Pair:
        """What an arm comes to in the mean over seeds."""
        return tuple(self._forest.predict(self._matrix([chosen]))[0].tolist())

    def seen(self, chosen: Chosen, worth: Pair, random: Random) -> Pair:
        """What it comes to with one seed."""
        own = self._matrix([chosen])[0]
        method = [place for place, other in enumerate(self._chosen) if other["method"] == chosen["method"]]
        near = sorted(method, key=lambda place: float(np.abs(self._inputs[place] - own).sum()))[:NEAREST]
        apart = self._apart[random.choice(near)] * random.choice((-1, 1))
        return tuple(value + float(each) for value, each in zip(worth, apart, strict=True))

    def none_seen(self, random: Random) -> Pair:
        """What no method comes to with one seed; as noisy as any arm."""
        apart = random.choice(self._apart) * random.choice((-1, 1))
        return tuple(value + float(each) for value, each in zip(self._none, apart, strict=True))

    def volume(self, points: list[Pair]) -> float:
        """The hypervolume of points, as a share of the rectangle from floor to ceiling."""
        ends = list(zip(self.floor, self.ceiling, strict=True))
        scaled = [tuple((x - low) / (high - low) for x, (low, high) in zip(p, ends, strict=True)) for p in points]
        area, height = 0.0, 0.0
        for across, up in sorted(scaled, reverse=True):
            area += max(0.0, across) * max(0.0, up - height)
            height = max(height, up)
        return area

    def _features(self, chosen: Chosen) -> dict[str, float]:
        method, features = chosen["method"], {}
        for key, value in chosen.items():
            setting = key.removeprefix(f"{method}.")
            allowed = self._plan.space.ranges[method].get(setting)
            if isinstance(allowed, Range):
                scale = math.log if allowed.log else float
                features[key] = (scale(value) - scale(allowed.low)) / (scale(allowed.high) - scale(allowed.low))
            else:  # what has values to choose among, one column a value; places and schedules are every method's
                name = "at" if setting == "at" else "goes" if setting.endswith(" goes") else key
                features[f"{name}={value}"] = 1.0
        return features

    def _matrix(self, arms: list[Chosen]) -> npt.NDArray[np.float64]:
        rows = [self._features(chosen) for chosen in arms]
        return np.array(
            [[row.get(column, -1.0 if "=" not in column else 0.0) for column in self._columns] for row in rows]
        )
