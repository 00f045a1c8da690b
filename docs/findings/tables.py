"""The tables of docs/findings.md, of study.md, overfit.md and searches.md, made from the results beside this file.

    python docs/findings/tables.py            say which pages are not what the results make
    python docs/findings/tables.py --write    make them so

A table stands between `<!-- NAME -->` and `<!-- end -->`; what else is on a page is written by hand.
"""

import re
import sys
from collections import Counter
from pathlib import Path

import overfit
import papers
import searches
import study

HERE = Path(__file__).parent
PAGES = {
    HERE.parent / "findings.md": papers.blocks,
    HERE / "study.md": study.blocks,
    HERE / "overfit.md": overfit.blocks,
    HERE / "searches.md": searches.blocks,
}


def filled(text: str, blocks: dict[str, list[str]]) -> str:
    """A page with its tables made anew.

    Raises:
        ValueError: the page has a table that no result makes, or has one twice, or lacks one that a result makes.
    """
    places, tables = Counter(re.findall(r"<!-- (?!end -->)(.*?) -->", text)), Counter(list(blocks))
    if places != tables:
        raise ValueError(
            f"tables on the page and not made {sorted(places - tables)}, or the reverse {sorted(tables - places)}"
        )
    for name, lines in blocks.items():
        start, end = f"<!-- {name} -->", "<!-- end -->"
        body = "\n".join([start, *lines, "", end])
        text = re.sub(f"{re.escape(start)}.*?{re.escape(end)}", lambda _, body=body: body, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    stale = False
    for page, blocks in PAGES.items():
        before = page.read_text(encoding="utf-8")
        after = filled(before, blocks())
        stale |= before != after
        if "--write" in sys.argv:
            page.write_text(after, encoding="utf-8")
        elif before != after:
            print(f"{page}: not what the results make; python docs/findings/tables.py --write")
    sys.exit(stale and "--write" not in sys.argv)
