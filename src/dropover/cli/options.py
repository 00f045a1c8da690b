"""Options as commands declare them; those that several commands have are said once."""

from typing import Annotated, Any, Literal

import typer

Scale = Literal["smoke", "laptop", "paper"]


def number(text: str) -> Any:
    """An option or argument that takes a number from 1."""
    return typer.Option(min=1, metavar="N", help=text)


def folder(text: str) -> Any:
    """An option that takes a folder."""
    return typer.Option(metavar="DIR", help=text)


def named(text: str) -> Any:
    """An option that takes a name."""
    return typer.Option(metavar="NAME", help=text)


def maybe(text: str) -> Any:
    """The name that a command may be given: of what it shows, instead of the list."""
    return typer.Argument(metavar="[NAME]", help=text)


Jobs = Annotated[int | None, number("Processes, of one thread each. [default: one a core]")]
