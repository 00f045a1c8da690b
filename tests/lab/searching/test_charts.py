"""The chart of the front shows what is to be compared, whatever lies far off."""

from hypothesis import given
from hypothesis import strategies as st

from dropover.lab.report.search_charts import far_off
from dropover.lab.searching.ending import Figure
from dropover.lab.searching.objectives import Objective

CLEAN, LOSS = Objective("clean", "clean", None, True), Objective("loss", "loss", None, False)
VALUES = st.dictionaries(st.sampled_from("abcdefghij"), st.floats(0, 1), min_size=1)


def figures(values: dict[str, float], objective: Objective = CLEAN) -> list[Figure]:
    return [Figure(arm, objective, None, value, value, value, 0, 0, 0, "", None) for arm, value in values.items()]


@given(VALUES)
def test_what_was_found_and_the_reference_are_always_drawn_and_so_is_the_best(values: dict[str, float]) -> None:
    away = far_off(figures(values), ["a", "b"], "c")
    assert not {"a", "b", "c"} & {*away}
    assert max(values, key=lambda arm: values[arm]) not in away


def test_what_is_far_worse_at_any_objective_is_left_out() -> None:
    near = {arm: 0.9 + 0.01 * number for number, arm in enumerate("abcdefg")}
    low, high = figures({**near, "x": 0.2, "y": 0.9}), figures({**near, "x": 0.9, "y": 5.0}, LOSS)
    assert far_off(low, [], "a") == ["x"]
    assert far_off([*low, *high], [], "a") == ["x", "y"]
    assert far_off([*low, *high], ["x", "y"], "a") == []
