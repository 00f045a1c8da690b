"""The tables of docs/findings.md are those that its results make."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_the_page_has_the_tables_that_the_results_make():
    found = importlib.util.spec_from_file_location("tables", DOCS / "findings" / "tables.py")
    assert found is not None
    assert found.loader is not None
    tables = importlib.util.module_from_spec(found)
    found.loader.exec_module(tables)
    text = (DOCS / "findings.md").read_text(encoding="utf-8")
    made = tables.page(text)
    assert made == text, "run python docs/findings/tables.py --write"
    # As many tables as there are questions, and one of accuracies, for each set of images.
    assert made.count("<!-- end -->") == len(tables.SETS) * (1 + len(tables.QUESTIONS))
    assert made.count("| arm | clean |") == len(tables.SETS)
