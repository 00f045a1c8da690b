"""`dropover methods`: the list of methods, or one method's card."""

from typing import TYPE_CHECKING, Annotated

import typer

from dropover.cli.ending import fail

if TYPE_CHECKING:
    from rich.console import Console


_PLACES = {
    "maps": "after a convolution",
    "features": "between linear layers",
    "weights": "around a linear or convolution layer; not in a study",
}


def methods(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Print this method's card.")] = None,
) -> None:
    """List the methods, or print one method's card: what it does, its source, and what is known against it."""
    from rich.console import Console

    console = Console()
    if name is None:
        _list(console)
    else:
        _card(console, name)


def _list(console: "Console") -> None:
    from rich.table import Table

    from dropover.methods import METHODS

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("method", "place", "what it does"):
        table.add_column(column, no_wrap=column != "what it does")
    for method in METHODS:
        table.add_row(method.name, method.kind, method.card.summary)
    console.print(table)
    console.print("\n`dropover methods NAME` prints a method's card.", style="dim", markup=False, highlight=False)


def _card(console: "Console", name: str) -> None:
    from rich.table import Table
    from rich.text import Text

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
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    last = ""
    for label, text in rows:
        table.add_row("" if label == last else label, Text(text))
        last = label
    console.print(f"{card.title} ({method.name})", style="bold", highlight=False, markup=False)
    console.print(table)
