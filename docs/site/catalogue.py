"""What a study may say: its keys, and the data sets, networks, noises and attacks that their registries have."""

import inspect
from collections.abc import Iterable
from typing import Literal, get_args, get_origin

import griffe
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dropover.lab.attacks import ATTACKS
from dropover.lab.data import DATA
from dropover.lab.models import NETWORKS, Network
from dropover.lab.noise import NOISES
from dropover.lab.study import (
    Arm,
    AttackSettings,
    DataSettings,
    EvaluationSettings,
    FunctionSettings,
    MeasureSettings,
    ModelSettings,
    Study,
    TrainingSettings,
)

TABLES: dict[str, type[BaseModel]] = {
    "At the top": Study,
    "`[data]`": DataSettings,
    "`[model]`": ModelSettings,
    "`[training]`": TrainingSettings,
    "`[evaluation]`": EvaluationSettings,
    "`[[evaluation.attacks]]`": AttackSettings,
    "`[[arms]]`": Arm,
    "`[trial]`": FunctionSettings,
    "`[measures.NAME]`": MeasureSettings,
}
"""What a study file calls them, and their records."""


def catalogue() -> str:
    """The keys of each table of a study, and a table for each registry."""
    return "\n\n".join(
        [
            "### Keys",
            _keys(),
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


def _keys() -> str:
    """Each table's keys with their defaults, and what is said of them."""
    module = griffe.load("dropover.lab.study")
    parts = []
    for title, table in TABLES.items():
        said = module[table.__name__].members
        lines = [f"- {_key(name, field)}{_words(field, said[name])}" for name, field in table.model_fields.items()]
        parts.append("\n".join([f"{title}:", "", *lines]))
    return "\n\n".join(parts)


def _key(name: str, field: FieldInfo) -> str:
    is_table = isinstance(field.default, BaseModel)
    return f"`{name}`" if field.is_required() or is_table else f"`{name} = {field.default!r}`"


def _words(field: FieldInfo, attribute: griffe.Object | griffe.Alias) -> str:
    choices = ", ".join(f"`{each!r}`" for each in get_args(field.annotation) if get_origin(field.annotation) is Literal)
    said = " ".join(attribute.docstring.value.split()) if attribute.docstring else ""
    words = [*([f"one of {choices}"] if choices else []), *([said] if said else [])]
    return f": {'. '.join(words)}" if words else ""


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
