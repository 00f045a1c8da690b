"""Links of the repository's Markdown, as the site needs them: pages among each other, and files that lie outside."""

import posixpath
import re
from pathlib import Path

from elsewhere import PAGES, ROOT

SOURCES = "sources"
"""Where the site shows files that aren't its own."""

BROUGHT = {source.file: page for page, source in reversed(PAGES.items())}
"""Files outside of docs/ that the site has, and the first page of each."""

_CODE_OR_LINK = re.compile(
    r"```.*?```|`[^`]+`|\[(?P<words>(?:[^][`]|`[^`]+`|\[[^]]*\])*)\]\((?!\w+:|#)(?P<path>[^)#\s]+)(?P<rest>[^)]*)\)",
    re.DOTALL,
)


def relinked(text: str, origin: str, page: str) -> str:
    """Markdown of the file `origin` of the repository, its links made to work on the site's page `page`.

    A folder has no page: of a link to it the words stay.
    """

    def changed(match: re.Match[str]) -> str:
        if match["path"] is None:
            return match[0]
        place = _place(match["path"], origin)
        if (ROOT / place).is_dir():
            return match["words"]
        path = posixpath.relpath(_in_site(place), posixpath.dirname(page) or ".")
        return f"[{match['words']}]({path}{match['rest']})"

    return _CODE_OR_LINK.sub(changed, text)


def outside_files(text: str, origin: str) -> set[str]:
    """The files that aren't the site's own and that a file of the repository links to."""
    places = {_place(match["path"], origin) for match in _CODE_OR_LINK.finditer(text) if match["path"]}
    return {place for place in places if _in_site(place).startswith(f"{SOURCES}/") and (ROOT / place).is_file()}


def _place(path: str, origin: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))


def _in_site(place: str) -> str:
    if place in BROUGHT:
        return BROUGHT[place]
    if place.startswith("docs/") and Path(place).suffix != ".py":
        return place.removeprefix("docs/")
    return f"{SOURCES}/{place}.md"


def source_page(place: str) -> str:
    """A page that shows a file of the repository; the search doesn't find it."""
    kind = Path(place).suffix.removeprefix(".")
    code = (ROOT / place).read_text(encoding="utf-8")
    return f"---\nsearch: {{exclude: true}}\n---\n# {place}\n\n````{kind}\n{code}````\n"
