"""Options as commands declare them; those that several commands have are said once."""

from typing import Annotated, Any, Literal

import typer

Scale = Literal["smoke", "laptop", "paper"]


def number(text: str) -> Any:
    """An option that takes a number from 1 on."""
    return typer.Option(min=1, metavar="N", help=text)


def directory(text: str) -> Any:
    """An option that takes a folder."""
    return typer.Option(metavar="DIR", help=text)


Jobs = Annotated[int | None, number("Processes, of one thread each. [default: one a core]")]
