"""The pages of the API: which names there are, and where their docstrings lie. The text is the docstrings' own."""

import re
from types import ModuleType

import dropover
from dropover import functional, parts
from dropover.methods import METHODS


def pages() -> dict[str, str]:
    """The Markdown of each page, by its place in the site."""
    layers = {method.layer.__name__ for method in METHODS}
    made_of = set(parts.public()) - layers
    groups = {
        "In a model": [name for name in _documented(dropover) if name not in layers | made_of],
        "The methods' layers": sorted(layers),
        "What regularizers are made of": sorted(made_of),
    }
    core = [f"## {title}\n\n{_entries(dropover, names, level=3)}" for title, names in groups.items()]
    shared = "::: dropover.functional\n    options: {members: false, show_root_heading: false}"
    return {
        "api/dropover.md": "\n\n".join(["# dropover", *core]),
        "api/functional.md": "\n\n".join(["# dropover.functional", shared, _entries(functional, functional.__all__)]),
    }


def linked(html: str) -> str:
    """The text of a page of the API, with public names that docstrings mention as links to them."""
    homes = {name: _home(module, name) for module in (dropover, functional) for name in _documented(module)}

    def link(match: re.Match[str]) -> str:
        return f'<autoref identifier="{homes[match[1]]}">{match[0]}</autoref>' if match[1] in homes else match[0]

    return re.sub(r"<code>(?:dropover\.(?:functional\.)?)?(\w+)</code>", link, html)


def _documented(module: ModuleType) -> list[str]:
    """The public names of functions and classes."""
    return [name for name in module.__all__ if hasattr(getattr(module, name), "__qualname__")]


def _entries(module: ModuleType, names: list[str], level: int = 2) -> str:
    options = "options: {{heading: {0}.{1}, toc_label: {1}, heading_level: {2}}}"
    return "\n\n".join(
        f"::: {_home(module, name)}\n    {options.format(module.__name__, name, level)}" for name in names
    )


def _home(module: ModuleType, name: str) -> str:
    return f"{getattr(module, name).__module__}.{name}"
