"""What a reproduction is: a table or figure of a paper, the studies it needs, and what draws it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dropover.lab.reproductions.parts.items import Item
from dropover.lab.reproductions.parts.studies import Evidence, Request
from dropover.lab.study import Scale

Draw = Callable[[Evidence], Sequence[Item]]


@dataclass(frozen=True)
class Paper:
    """Where a table or figure was printed."""

    short: str
    text: str
    url: str


FDD = Paper(
    "FDD",
    "Ke Z., Wen Z., Xie W., Wang Y., Shen L. (2020). Group-wise dynamic dropout based on latent semantic variations. "
    "AAAI 34(7), 11229-11236.",
    "https://doi.org/10.1609/aaai.v34i07.6782",
)
FLIPOVER = Paper(
    "Flipover",
    "Liang Y., Niu C., Yan P., Wang G. (2024). Flipover outperforms dropout in deep learning. "
    "Visual Computing for Industry, Biomedicine, and Art 7, 4.",
    "https://doi.org/10.1186/s42492-024-00153-y",
)


@dataclass(frozen=True)
class Reproduction:
    """One table or figure of a paper.

    Attributes:
        paper: Where it was printed.
        title: As the paper has it, such as "Table 2".
        shows: What it shows, in a sentence.
        studies: What it needs at any scale; several names share trained nets where they ask for the same.
        draw: Turns what those studies brought into tables, pictures and claims.
        deviations: Where it leaves the paper at any scale, a line each. What a scale changes is found by itself.
        aliases: Other names.
    """

    paper: Paper
    title: str
    shows: str
    studies: tuple[Request, ...]
    draw: Draw
    deviations: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the command line calls it, such as "fdd-table2"."""
        return f"{self.paper.short}-{self.title}".lower().replace(" ", "")

    def requests(self, scale: Scale) -> list[Request]:
        """The studies that it needs at a scale."""
        return [request for request in self.studies if scale in request.scales]
