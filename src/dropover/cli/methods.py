"""`dropover methods`: the list of methods, or one method's card."""

from typing import Annotated

import typer

from dropover.cli.ending import fail

_PLACES = {
    "maps": "after a convolution",
    "features": "between linear layers",
    "weights": "around a linear or convolution layer; not in a study",
}


def methods(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Print this method's card.")] = None,
) -> None:
    """List the methods, or print one method's card: what it does, its source, and what is known against it."""
    if name is None:
        _list()
    else:
        _card(name)


def _list() -> None:
    from dropover.lab.telling.terminal import print_list, say
    from dropover.methods import METHODS

    rows = [(method.name, method.kind, method.card.summary) for method in METHODS]
    print_list(("method", "place", "what it does"), rows, wrap=("what it does",))
    say("\n`dropover methods NAME` prints a method's card.", "dim")


def _card(name: str) -> None:
    from dropover.lab.telling.terminal import print_facts, say
    from dropover.methods import METHODS
    from dropover.registry import UnknownNameError

    try:
        method = METHODS.get(name)
    except UnknownNameError as error:
        fail(str(error))
    card = method.card
    of_every_method = ("rescale", "channel_dim")
    settings = ", ".join(f"{key}={value!r}" for key, value in method.settings().items() if key not in of_every_method)
    fixed = ", ".join(f"{key}={value!r}" for key, value in method.presets.items())
    layer = f"dropover.{method.layer.__name__}" + (f" with {fixed}" if fixed else "")
    rows = [
        ("what it does", card.summary),
        ("formula", card.formula),
        ("acts", card.acts),
        ("place", _PLACES[method.kind]),
        ("layer", layer),
        ("settings", settings),
        ("in its paper", card.settings_in_paper),
        *(("source", f"{text}\n{link}") for text, link in card.sources.items()),
        *(("known against it", caveat) for caveat in card.caveats),
    ]
    say(f"{card.title} ({method.name})", "bold")
    print_facts(rows)
