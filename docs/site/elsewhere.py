"""The pages whose text lies outside of docs/: README.md, section by section, and whole files."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Source:
    """A file of the repository; of it some sections, with what stands before the first one or without, or all of it."""

    file: str
    sections: tuple[str, ...] = ()
    beginning: bool = False

    def text(self) -> str:
        """The Markdown. A single section without a beginning becomes a page of that title."""
        text = (ROOT / self.file).read_text(encoding="utf-8")
        if not self.sections:
            return text
        beginning, *rest = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)
        there = dict(zip(rest[::2], rest[1::2], strict=True))
        for title in self.sections:
            if title not in there:
                raise ValueError(
                    f"{self.file} has no section {title!r}, which the site shows: it has {', '.join(there)}"
                )
        level = "##" if self.beginning else "#"
        return "".join(
            [beginning if self.beginning else "", *(f"{level} {title}\n{there[title]}" for title in self.sections)]
        )


PAGES = {
    "index.md": Source(
        "README.md", ("Try it", "Your own training", "A layer in your own model", "What it rests on"), beginning=True
    ),
    "reading.md": Source("README.md", ("How to read the verdicts",)),
    "papers.md": Source("README.md", ("The papers' tables and figures",)),
    "inspect.md": Source("README.md", ("A net from inside",)),
    "believing.md": Source("README.md", ("How far to believe a robustness figure",)),
    "examples.md": Source("examples/README.md"),
    "changes.md": Source("CHANGELOG.md"),
}
