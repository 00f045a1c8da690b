"""How every page is made from its template."""

from pathlib import Path

import jinja2


def environment(folder: Path) -> jinja2.Environment:
    """Templates of a folder, and what pages share. A name that isn't given is an error; what is given is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["tied"] = _tied
    return made


def _tied(text: str) -> str:
    """Figures kept on one line with what they belong to."""
    return text.replace(" %", "\u00a0%").replace("p = ", "p\u00a0=\u00a0").replace("ε = ", "ε\u00a0=\u00a0")
