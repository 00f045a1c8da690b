"""docs/search.md says what a search saves; the arms that this is measured on are arms that a search would propose."""

import json
from random import Random
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from .documents import DOCS, module_of

measure = module_of("search", "measure")


@pytest.fixture(scope="module")
def plan(measure: ModuleType) -> Any:
    return measure.plan_of_table()


@pytest.fixture(scope="module")
def land(measure: ModuleType, plan: Any) -> Any:
    return measure.Landscape(plan)


class Fixed:
    """Chooses what was chosen."""

    def __init__(self, chosen: dict[str, Any]) -> None:
        self._chosen = chosen

    def suggest_categorical(self, name: str, choices: Any, /) -> Any:
        assert self._chosen[name] in choices
        return self._chosen[name]

    def suggest_float(self, name: str, low: float, high: float, /, *, log: bool = False) -> float:
        assert low <= self._chosen[name] <= high
        return float(self._chosen[name])


def test_the_tables_arms_are_of_the_space_and_each_has_two_seeds(plan: Any) -> None:
    rows = pd.read_csv(DOCS / "search" / "table.csv")
    assert set(rows.groupby("arm").size()) == {2}
    for label, chosen in zip(rows["arm"], map(json.loads, rows["chosen"]), strict=True):
        assert label == "none" or plan.space.arm(Fixed(chosen)).label == label


def test_the_hypervolume_is_the_area_below_the_points(land: Any) -> None:
    (left, low), (right, high) = land.floor, land.ceiling
    middle = ((left + right) / 2, (low + high) / 2)
    assert land.volume([]) == land.volume([(left, high), (right, low)]) == 0
    assert land.volume([(right, high)]) == pytest.approx(1)
    assert land.volume([middle]) == pytest.approx(0.25)
    assert land.volume([(middle[0], high), (right, middle[1]), middle]) == pytest.approx(0.75)


@pytest.mark.parametrize("budget", [40, 60, 120])
def test_a_simulated_search_trains_no_more_than_its_budget(
    measure: ModuleType, plan: Any, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counted(list[tuple[float, ...]]):
        """The seeds of an arm, which tells how many of them were looked at."""

        used = 0

        def __getitem__(self, index: Any) -> Any:
            values = list.__getitem__(self, index)
            self.used = max(self.used, len(values) if isinstance(index, slice) else index + 1)
            return values

    random = Random(budget)

    def seeds() -> Counted:
        return Counted((random.random(), random.random()) for _ in range(plan.file.search.seeds))

    for way in measure.WAYS:
        seen = {str(number): measure.Seen((0.0, 0.0), seeds()) for number in range(budget)}
        none = seeds()
        assert measure.front_of(plan, seen, none, way, budget)
        spent = sum(arm.seeds.used for arm in seen.values()) + (len(none) if way.raced else 1)
        assert budget - plan.file.search.seeds <= spent <= budget


def test_the_page_has_a_line_for_every_way(measure: ModuleType) -> None:
    text = (DOCS / "search.md").read_text(encoding="utf-8")
    measured = text.split("python docs/search/measure.py", 1)[1]
    assert all(f"{way.name:>20} " in measured for way in measure.WAYS)
