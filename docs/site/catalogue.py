"""What a study may name: data sets, networks, noises and attacks, as their registries have them."""

import inspect
from collections.abc import Iterable

from dropover.lab.attacks import ATTACKS
from dropover.lab.data import DATA
from dropover.lab.models import NETWORKS, Network
from dropover.lab.noise import NOISES


def catalogue() -> str:
    """A table for each registry."""
    return "\n\n".join(
        [
            "### Data sets",
            _table(("name", "what it holds"), ((f"`{each.name}`", each.summary) for each in DATA)),
            "### Networks",
            _table(
                ("name", "what it is", "positions", "settings"),
                ((f"`{each.name}`", each.summary, _names(each.positions), _settings(each)) for each in NETWORKS),
            ),
            "### Noises",
            _table(
                ("name", "what it does", "a level is"), ((f"`{each.name}`", each.summary, each.unit) for each in NOISES)
            ),
            "### Attacks",
            _table(
                ("name", "what it does", "norms", "settings"),
                ((f"`{each.name}`", each.summary, _names(each.norms), _names(each.settings)) for each in ATTACKS),
            ),
            "",
        ]
    )


def _settings(network: Network) -> str:
    return ", ".join(
        f"`{name}`" if default is inspect.Parameter.empty else f"`{name} = {default!r}`"
        for name, default in network.settings().items()
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [titles, ("---",) * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
