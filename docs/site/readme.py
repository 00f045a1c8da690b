"""The pages that are parts of README.md."""

import re

from links import ROOT

START = ("Try it", "A layer in your own model", "What it rests on")
"""The sections of the first page, which begins as README does."""

PAGES = {
    "reading.md": "How to read the verdicts",
    "papers.md": "The papers' tables and figures",
    "inspect.md": "A net from inside",
}
"""The other pages, a section each."""


def pages() -> dict[str, str]:
    """The Markdown of each page, its links as README has them."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    beginning, *rest = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    absent = [title for title in (*START, *PAGES.values()) if title not in sections]
    if absent:
        raise ValueError(f"README.md has no section {absent[0]!r}, which the site shows: it has {', '.join(sections)}")
    start = "".join([beginning, *(f"## {title}\n{sections[title]}" for title in START)])
    return {"index.md": start, **{page: f"# {title}\n{sections[title]}" for page, title in PAGES.items()}}
