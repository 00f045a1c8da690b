"""The pages of the API: which names there are, and where their docstrings lie. The text is the docstrings' own."""

import pkgutil
import re
from types import ModuleType

import dropover
from dropover import functional, integrations, lab, parts
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
    return {
        "api/dropover.md": "\n\n".join(["# dropover", *core]),
        "api/functional.md": _page(functional),
        "api/lab.md": _page(lab),
        "api/integrations.md": _of_trainers(),
    }


def linked(html: str) -> str:
    """The text of a page of the API, with public names that docstrings mention as links to them."""
    homes = {name: _home(module, name) for module in (lab, dropover, functional) for name in _documented(module)}

    def link(match: re.Match[str]) -> str:
        return f'<autoref identifier="{homes[match[1]]}">{match[0]}</autoref>' if match[1] in homes else match[0]

    return re.sub(r"<code>(?:dropover\.(?:functional\.|lab\.)?)?(\w+)</code>", link, html)


def _page(module: ModuleType) -> str:
    """What the module says of itself, and then its public names."""
    itself = (
        f"::: {module.__name__}\n    options: {{members: [], show_root_heading: false, show_root_toc_entry: false}}"
    )
    functions_first = sorted(module.__all__, key=lambda name: name[0].isupper())
    return "\n\n".join([f"# {module.__name__}", itself, _entries(module, functions_first, undocumented=module is lab)])


def _of_trainers() -> str:
    """The callbacks. Their modules aren't imported: each is an extra."""
    trainers = sorted(
        module.name for module in pkgutil.iter_modules(integrations.__path__) if module.name != "following"
    )
    entries = [
        f"::: {integrations.__name__}.{name}.AdvanceCallback\n"
        f"    options: {{heading: {integrations.__name__}.{name}.AdvanceCallback, toc_label: {name}}}"
        for name in trainers
    ]
    return "\n\n".join([f"# {integrations.__name__}", *entries])


def _documented(module: ModuleType) -> list[str]:
    """The public names of functions and classes."""
    return [name for name in module.__all__ if hasattr(getattr(module, name), "__qualname__")]


def _entries(module: ModuleType, names: list[str], level: int = 2, *, undocumented: bool = False) -> str:
    """The names' docstrings; also members that have none, if `undocumented`."""
    options = (
        f"{{heading: {module.__name__}.NAME, toc_label: NAME, heading_level: {level}, "
        f"show_if_no_docstring: {str(undocumented).lower()}}}"
    )
    return "\n\n".join(f"::: {_home(module, name)}\n    options: {options.replace('NAME', name)}" for name in names)


def _home(module: ModuleType, name: str) -> str:
    return f"{getattr(module, name).__module__}.{name}"
