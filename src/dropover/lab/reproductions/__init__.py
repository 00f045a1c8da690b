"""The papers' tables and figures by name: one file each, found by the registry `REPRODUCTIONS`.

Nothing here imports torch before something is run, so that the list is there at once.
"""

from collections.abc import Callable

from dropover.lab.reproductions.parts.reproduction import FDD, FLIPOVER, Draw, Paper, Reproduction
from dropover.lab.reproductions.parts.studies import Request
from dropover.registry import Registry

__all__ = ["FDD", "FLIPOVER", "REPRODUCTIONS", "Reproduction", "reproduces"]

REPRODUCTIONS: Registry[Reproduction] = Registry("table or figure", __name__)


def reproduces(
    paper: Paper, title: str, shows: str, *studies: Request, deviations: tuple[str, ...] = ()
) -> Callable[[Draw], Draw]:
    """Decorator: registers what draws a table or figure; the arguments are the attributes of `Reproduction`."""

    def register(draw: Draw) -> Draw:
        REPRODUCTIONS.add(Reproduction(paper, title, shows, studies, draw, deviations))
        return draw

    return register
