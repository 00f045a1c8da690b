"""Every method against every column of the table in docs/guarantees.md, and the table itself."""

import re

import pytest

from . import table
from .checks import FEATURES
from .subjects import NAMES


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.title)
@pytest.mark.parametrize("name", NAMES)
def test_a_method_does_what_the_table_says(name, feature):
    problem = table.outcome_differs(feature, name)
    assert problem is None, problem


def test_the_document_holds_this_table():
    assert table.written() == table.rendered(), "python -m tests.guarantees.table writes it anew"


def test_every_reason_belongs_to_a_cell():
    places = {(name, feature.title) for name in NAMES for feature in FEATURES}
    assert {*table.GAPS, *table.NOTES} <= places
    assert not {*table.GAPS} & {*table.NOTES}


def test_every_test_that_the_document_names_exists():
    document = table.DOCUMENT
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert named
    for path, function in named:
        source = (document.parents[1] / path).read_text(encoding="utf-8")
        assert not function or f"def {function}(" in source, f"{path}::{function}"
