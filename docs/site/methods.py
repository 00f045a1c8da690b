"""A page for each method, made of its card, its signature and its docstring, and one that lists them."""

import inspect
import re
from collections.abc import Iterable, Mapping
from functools import cache

from griffe import Docstring, DocstringSectionKind
from pictures import picture

from dropover import functional
from dropover.methods import METHODS, Method

PLACES = {
    "maps": "after a convolution",
    "features": "between linear layers",
    "weights": "around a linear or convolution layer; not in a study",
}


def titles() -> dict[str, str]:
    """What each method's page is called, by the method's name: its title, with the name if others have it."""
    shown = [method.card.title for method in METHODS]
    return {
        method.name: method.card.title if shown.count(method.card.title) == 1 else f"{method.card.title}: {method.name}"
        for method in METHODS
    }


def pages() -> dict[str, str | bytes]:
    """The pages and their pictures, by their places in the site."""
    called = titles()
    made: dict[str, str | bytes] = {"methods/index.md": _list(called)}
    for method in METHODS:
        made[f"methods/{method.name}.md"] = _page(method, called[method.name])
        made[f"methods/{method.name}.svg"] = picture(method)
    return made


def _list(called: Mapping[str, str]) -> str:
    rows = [
        f"| [{called[method.name]}]({method.name}.md) | `{method.name}` | {method.kind} | {method.card.summary} |"
        for method in METHODS
    ]
    head = ["# Methods", "", "| method | in studies | place | what it does |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _page(method: Method, title: str) -> str:
    card = method.card
    aliases = "".join(f", `{alias}`" for alias in method.aliases)
    return f"""# {title}

{card.summary}

> `{card.formula}`

![What went in, what each number was multiplied by, and what came out]({method.name}.svg)

One call at the defaults, on made-up activations. Where it says *multiplied by*, black is dropped, red has changed its
sign, grey is left alone, blue is made larger.

- **Acts** {card.acts}.
- **Goes** {PLACES[method.kind]}.
- **In a study** `{method.name}`{aliases}, **as a layer** {_reference(method.layer, "dropover")}{_fixed(method)}, **as a
  function** {_reference(method.function, "dropover.functional")}.
- **In its paper** {card.settings_in_paper}.

## Settings

{_settings(method)}

## Where it comes from

{_lines(f"{text}: <{link}>" for text, link in card.sources.items())}

## What is known against it

{_lines(_linked(caveat) for caveat in card.caveats)}
"""


def _reference(named: type | object, package: str) -> str:
    name = getattr(named, "__name__", "")
    return f"[`{package}.{name}`][{getattr(named, '__module__', '')}.{name}]"


def _fixed(method: Method) -> str:
    fixed = ", ".join(f"`{name}={value!r}`" for name, value in method.presets.items())
    return f" with {fixed}" if fixed else ""


def _settings(method: Method) -> str:
    said = {**_described(functional.__doc__ or ""), **_described(inspect.getdoc(method.function) or "")}
    lines = []
    for name, default in method.settings().items():
        of_training = name.removeprefix("eval_")
        words = said.get(name) or (f"`{of_training}` at inference" if name != of_training else "")
        setting = name if default is inspect.Parameter.empty else f"{name} = {default!r}"
        lines.append(f"`{setting}`: {_linked(words)}" if words else f"`{setting}`")
    return _lines(lines)


@cache
def _described(docstring: str) -> dict[str, str]:
    """What a docstring says of each argument, in one line."""
    sections = Docstring(docstring).parse("google", warnings=False)
    arguments = [section.value for section in sections if section.kind is DocstringSectionKind.parameters]
    return {each.name: " ".join(each.description.split()) for value in arguments for each in value}


def _linked(words: str) -> str:
    """Names of pages as links to them."""
    return re.sub(r"docs/(\w+\.md)", r"[\1](../\1)", words)


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
