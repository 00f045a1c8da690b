"""An answer from end to end, on studies that went wrong: its words, the page, the terminal, the table of verdicts."""

import re
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO

import pandas as pd
import pytest
from tests.lab.studies import Values, answer, around, turned

from dropover.lab.judging.deciding import decide
from dropover.lab.report.page import render
from dropover.lab.running.runner import StudyRun
from dropover.lab.telling.table import show

NONE, A, B = around(0.95, 3), turned(around(0.96, 3)), turned(around(0.93, 3), 2)
COUNTS = {"training": 10, "test": 10, "attacked": 10}


class Text(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.said = ""
        self.feed(page[page.index("<main>") :])

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.mark.parametrize(
    ("values", "arms", "says"),
    [
        ({"none": NONE}, ("none",), "There is no other arm to compare with “none”."),
        ({"none": [0.9], "a": [0.8]}, ("none", "a"), "Nothing is decided: arms can be compared at one seed"),
        ({"a": A, "b": B}, ("none", "a", "b"), "there is no result of the reference “none”."),
        ({"none": [0.9, None], "a": [None, 0.9]}, ("none", "a"), "no other arm has a result with a seed"),
        ({"none": NONE, "a": A}, ("none", "a", "b"), "There is no result of b."),
        ({"none": NONE, "a": [*A[:2], None], "b": B}, ("none", "a", "b"), "Only one of the two has seed 2: no pair."),
        ({"none": NONE, "a": [0.9, None, None], "b": B}, ("none", "a", "b"), "a (one seed can't tell)"),
        ({"none": NONE, "a": NONE, "b": B}, ("none", "a", "b"), "Level with “none” (within ±0.5 points): a"),
        ({"none": [0.5] * 3, "a": [0.75] * 3}, ("none", "a"), "no spread to judge it by"),
        ({"none": [0.0] * 3, "a": [0.0] * 3}, ("none", "a"), "On clean images: every arm has 0.0 %."),
        ({"none": [1.0] * 3, "a": [1.0] * 3}, ("none", "a"), "On clean images: every arm has 100.0 %."),
        ({"none": [1.0] * 3, "a": [0.0] * 3}, ("none", "a"), "no spread to judge it by"),
    ],
)  # fmt: skip
def test_a_study_that_went_wrong_has_a_true_answer(
    values: Values,
    arms: tuple[str, ...],
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("COLUMNS", "500")
    places = dict.fromkeys(("clean", "gaussian", "poisson", "pgd", "pgd-margin", "worst"), values)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        found = answer(places, arms, command="dropover compare")
        page = Text(render(found, StudyRun(3, [], 0), COUNTS, {})).said
        show(found)
        csv = found.verdicts.to_csv(index=False)
    terminal = capsys.readouterr().out
    assert says in " ".join(page.replace("\u00a0", " ").split())
    for text in (page, terminal, csv):
        assert not re.search(r"\b(nan|None|inf)\b", text)
    for line in found.conclusion.lines:
        assert line in terminal


def test_the_table_of_verdicts_has_every_level_and_joins_the_results():
    values = {"none": NONE, "a": A, "b": B}
    places = dict.fromkeys(("clean", "gaussian", "pgd", "worst"), values)
    table = answer(places).verdicts
    assert list(table.columns) == [
        "arm", "measure", "level", "norm", "reference", "difference", "low", "high", "verdict", "method", "seeds",
        "seeds_needed",
    ]  # fmt: skip
    assert table["arm"].tolist() == ["a", "b"] * 4
    where = table[["measure", "level", "norm"]].fillna({"level": -1}).drop_duplicates()
    assert where.apply(tuple, axis=1).tolist() == [
        ("clean", -1, ""), ("gaussian", 0.5, ""), ("pgd", 0.1, "linf"), ("worst", 0.1, "linf"),
    ]  # fmt: skip
    assert table.loc[1, "difference"] == pytest.approx(-0.02, abs=1e-3)
    again = pd.read_csv(StringIO(table.to_csv(index=False)))
    assert again["verdict"].tolist() == table["verdict"].tolist()


def test_page_terminal_and_table_have_the_same_verdicts():
    found = answer({"clean": {"none": NONE, "a": A, "b": B}})
    (column,) = found.columns
    assert found.verdicts["verdict"].tolist() == [each.verdict for each in column.decision.comparisons]
    assert column.sign("none") == ""
    assert column.sign("b") in "▲▼=?"


def test_a_study_that_grew_is_judged_by_what_it_was_followed_with():
    found = answer({"clean": {"none": NONE, "a": A, "b": B}, "gaussian": {"none": NONE, "a": B, "b": B}})
    strict = replace(found, judge=lambda _, values: decide(values, "none", 0.005, alpha=1e-9))
    assert {each.verdict for column in strict.columns for each in column.decision.comparisons} == {"undecided"}
    assert set(strict.verdicts["verdict"]) == {"undecided"}


def test_the_margin_is_the_studys():
    values = {"none": around(0.95), "a": turned(around(0.955))}
    assert answer({"clean": values}, ("none", "a"), margin=2.0).columns[0].decision.of("level")
    assert not answer({"clean": values}, ("none", "a"), margin=0.1).columns[0].decision.of("level")
