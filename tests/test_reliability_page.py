"""docs/reliability.md has every row that its command writes, and in each what must be true was."""

import re
from types import ModuleType

import pytest

from .documents import DOCS, module_of

bad_days = module_of("reliability", "bad_days")


def test_every_row_of_the_page_is_of_a_day_and_holds(bad_days: ModuleType):
    text = (DOCS / "reliability.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- table -->\n(.*?)\n\n<!-- end -->", text, re.DOTALL)
    assert found is not None
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in found[1].splitlines()[2:]]
    days = [[day.happens, day.demanded, "holds"] for day in bad_days.DAYS.values()]
    assert [row[:3] for row in rows] == days
    assert all(row[3] for row in rows)


def test_a_row_that_is_had_anew_leaves_the_others(bad_days: ModuleType):
    first, second = list(bad_days.DAYS)[:2]
    page = bad_days.filled("a <!-- table -->\n<!-- end --> b", second, "holds", "this")
    page = bad_days.filled(page, first, "holds", "that")
    assert page == bad_days.filled(page, second, "holds", "this")
    assert [line.split(" | ")[-1] for line in page.splitlines()[3:5]] == ["that |", "this |"]
    with pytest.raises(ValueError, match="has no table"):
        bad_days.filled("", first, "holds", "this")
