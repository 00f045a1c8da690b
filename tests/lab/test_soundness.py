"""Verdicts of audits on figures: each follows from what is left, how many images there were, and the checks."""

import io
import math
from collections.abc import Mapping

import pandas as pd
import pytest
from rich.console import Console
from tests.lab.studies import EPS, answer, around, turned

from dropover.lab.auditing.verdict import interval_of
from dropover.lab.judging.answer import Answer
from dropover.lab.judging.soundness import MARKS, TrialAudit
from dropover.lab.telling.table import show

PLACES = ("clean", "pgd", "pgd-margin", "worst")
IMAGES = 200


def audited(left: Mapping[str, float], checks: Mapping[str, Mapping[tuple[str, int], float]] | None = None) -> Answer:
    """Arms whose worst case is 0.5 and 0.6, over eight seeds, and what their audits leave; checks that didn't pass."""
    values = {"none": around(0.5), "a": turned(around(0.6)), "b": turned(around(0.5), 3)}
    plain = answer(dict.fromkeys(PLACES, values))
    rows = []
    for arm, share in left.items():
        for seed in plain.study.seeds:
            rows += [(arm, seed, "audit images", EPS, IMAGES), (arm, seed, "audit", EPS, share)]
            rows += [
                (arm, seed, f"audit: {name}", EPS, outcomes.get((arm, seed), 1.0))
                for name, outcomes in (checks or {"order": {}}).items()
            ]
    table = pd.concat([plain.table, pd.DataFrame(rows, columns=plain.table.columns)], ignore_index=True)
    return Answer(plain.study, table, IMAGES, plain.command)


def said(found: Answer) -> str:
    console = Console(file=io.StringIO(), width=200)
    with console.capture() as text:
        show(found, console)
    return text.get()


@pytest.mark.parametrize("right", range(0, 101, 10))
@pytest.mark.parametrize(("failed", "not_made"), [((), ()), (("order",), ()), ((), ("order",)), (("a", "b"), ("c",))])
def test_a_figure_is_broken_above_the_interval_and_else_as_good_as_the_checks(
    right: int, failed: tuple[str, ...], not_made: tuple[str, ...]
):
    audit = TrialAudit(right / 100, 100, failed, not_made)
    _, high = interval_of(right, 100)
    below = "upper bound only" if failed or not_made else "supported"
    assert {audit.verdict(claim) for claim in (0.0, right / 100, high)} == {below}
    if high < 1:
        assert audit.verdict(high + 1e-6) == "broken"


def test_table_and_page_have_the_verdict_beside_every_figure_under_attack_and_what_it_means():
    found = audited({"none": 0.5, "a": 0.1, "b": 0.5}, {"order": {("b", 2): 0.0, ("b", 3): 0.0}, "roads": {}})
    text = said(found)
    for arm, verdict in {"none": "supported", "a": "broken", "b": "upper bound only"}.items():
        for column in found.columns:
            sound = found.soundness(column, arm)
            assert (sound is None) == (column.measure == "clean")
            assert sound is None or sound.verdict == verdict
        line = next(line for line in text.splitlines() if line.startswith(f" {arm} "))
        assert line.count(MARKS[verdict]) == len(PLACES) - 1  # type: ignore[index]
    assert "none ✓ 50.0 %; a ✗ 10.0 %; b ≤ 50.0 % (order (2 of 8 seeds) failed)" in " ".join(text.split())
    assert "✓ supported" in found.legend
    assert found.robustness("b")[0] == (
        "Audit at ε = 0.1: ≤ supported (6 seeds), upper bound only (2 seeds); it leaves 50.0 %: order (2 of 8 seeds) "
        "failed."
    )


def test_an_arm_is_recommended_only_where_its_audit_supports_its_figure():
    def under_attack(found: Answer) -> str:
        return next(line for line in found.conclusion.lines if line.startswith("Under attack"))

    assert "use a, better than “none”" in under_attack(audited({"none": 0.5, "a": 0.6, "b": 0.5}))
    for other in (
        audited({"none": 0.5, "a": 0.1, "b": 0.5}),
        audited({"none": 0.5, "a": 0.6, "b": 0.5}, {"order": {("a", 0): 0.0}}),
        audited({"none": 0.5, "a": 0.6, "b": 0.5}, {"order": {("a", 0): math.nan}}),
    ):
        assert "a looks better, but" in under_attack(other)
        assert "use a" not in under_attack(other)


def test_a_check_that_could_not_be_made_is_told_from_one_that_failed():
    found = audited({"none": 0.5, "a": 0.6, "b": 0.5}, {"order": {("a", 0): 0.0}, "exam": {("a", 1): math.nan}})
    (line,) = (line for line in found.robustness("a") if line.startswith("Audit"))
    assert "order (1 of 8 seeds) failed; exam (1 of 8 seeds) could not be made" in line


def test_the_table_of_audits_has_a_row_for_every_trial():
    found = audited({"none": 0.5, "a": 0.1}, {"order": {("a", 2): 0.0}, "exam": {("a", 3): math.nan}})
    table = found.audits.set_index(["arm", "seed"])
    assert len(table) == 2 * len(found.study.seeds)
    assert set(table.loc["none", "verdict"]) == {"supported"}
    assert set(table.loc["a", "verdict"]) == {"broken"}
    assert table.loc[("a", 2), "failed"] == "order"
    assert table.loc[("a", 3), "not_made"] == "exam"
    assert (table["low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["high"]).all()


def test_a_worst_case_that_was_audited_is_not_told_to_be_believed_by_itself():
    found = audited({"a": 0.1})
    assert not any("To believe" in line for line in found.robustness("a"))
    assert any("To believe" in line for line in found.robustness("b"))


def test_without_audits_nothing_is_said_of_them():
    found = audited({})
    assert found.audits.empty
    assert "udit" not in said(found)
    assert "margin loss" in " ".join(found.robustness("a"))
