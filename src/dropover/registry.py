"""One kind of registry for every family of named things: methods, data sets, networks, noises, attacks."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar


class UnknownNameError(ValueError):
    """A name that no entry of the registry carries. The message suggests the closest ones."""


def did_you_mean(name: str, candidates: Iterable[str], most: int = 3) -> str:
    """What an error says of the names closest to `name`: "did you mean 'x' or 'y'? ", or "" if none is close."""
    close = difflib.get_close_matches(name, list(candidates), n=most)
    return f"did you mean {' or '.join(map(repr, close))}? " if close else ""


class Entry(Protocol):
    """What a registry can hold: a frozen record with a name and, if it likes, other names."""

    @property
    def name(self) -> str:
        """The name it is listed under."""

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names that find it."""


EntryT = TypeVar("EntryT", bound=Entry)


class Registry(Generic[EntryT]):
    """Named records, found by importing every module of one package on first use.

    A new entry is a new file in that package which calls `add`; nothing else is edited.
    """

    def __init__(self, kind: str, package: str) -> None:
        self.kind = kind
        self._package = package
        self._entries: dict[str, EntryT] = {}
        self._names: dict[str, EntryT] = {}
        self._discovered = False

    def add(self, entry: EntryT) -> EntryT:
        """Register `entry` under its name and aliases. A name that is taken raises `ValueError`."""
        names = (entry.name, *entry.aliases)
        for index, name in enumerate(names):
            if name in self._names or name in names[:index]:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
        self._names.update(dict.fromkeys(names, entry))
        self._entries[entry.name] = entry
        return entry

    def get(self, name: str) -> EntryT:
        """The entry called `name`, or `UnknownNameError` with the closest names."""
        self._discover()
        if name in self._names:
            return self._names[name]
        hint = did_you_mean(name, self._names)
        raise UnknownNameError(f"unknown {self.kind} {name!r}: {hint}known are {', '.join(self._entries)}")

    def names(self) -> list[str]:
        """Every entry's name, in the order of registration; aliases left out."""
        self._discover()
        return list(self._entries)

    def __iter__(self) -> Iterator[EntryT]:
        self._discover()
        return iter(list(self._entries.values()))

    def __contains__(self, name: object) -> bool:
        self._discover()
        return name in self._names

    def _discover(self) -> None:
        if self._discovered:
            return
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self._package}.{module.name}")
        self._discovered = True
