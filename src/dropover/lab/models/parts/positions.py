"""Places in a network where a regularizer can sit: the papers' names, or any module's path; and what passes there."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from dropover.insertion import Placement, Plan, insert
from dropover.insertion.channels import Channels
from dropover.insertion.names import ModuleNames
from dropover.insertion.trail import find_channels

Kind = Literal["maps", "features", "tokens", "attention", "unknown"]
Named = Mapping[str, str | tuple[str, ...]]

DEFAULT_POSITION: dict[str, str] = {"features": "fc", "maps": "last-conv"}


class PositionError(ValueError):
    """A position that a network doesn't have, or where a layer can't sit."""


@dataclass(frozen=True)
class Place:
    """One side of one module: its path, and "before" or "after" it."""

    path: str
    side: str

    def __str__(self) -> str:
        return f"{self.side} {self.path!r}"


@dataclass(frozen=True)
class PlaceInfo:
    """What passes through a place.

    It is "features" (N, F), "maps" (N, C, L), (N, C, H, W) or (N, H, W, C), "tokens" (N, T, F), "attention" weights
    (N, heads, T, T), or "unknown" where nothing tells which dimension holds the channels.
    """

    place: Place
    kind: Kind
    shape: tuple[int, ...]  # the tensor's sizes for one image
    channel_dim: int | None  # of the units, dimension 0 being the images: 1 or -1; None if it is unknown

    @property
    def units(self) -> int:
        """How many maps, features, features of each token, or heads; 1 if it is unknown."""
        return 1 if self.channel_dim is None else (0, *self.shape)[self.channel_dim]

    @property
    def content(self) -> str:
        """What passes, in words."""
        sizes = "×".join(map(str, self.shape[:-1] if self.channel_dim == -1 else self.shape[1:]))
        return {
            "features": f"{self.units} features",
            "maps": f"{self.units} maps of {sizes}",
            "tokens": f"{self.shape[0]} tokens of {self.units} features",
            "attention": f"attention weights of {sizes} in {self.units} heads",
            "unknown": f"{'×'.join(map(str, self.shape))} numbers, of which the dimension of the channels isn't known",
        }[self.kind]


def places(model: nn.Module, named: Named, words: Iterable[str]) -> list[Place]:
    """The places that a study's words mean.

    A word is a name of a position in `named` (see `Network.positions`); or a module's path or a glob pattern, after
    which the place is, or "before " and one of these.

    Raises:
        PositionError: nothing is called so, or two words mean the same place.
    """
    names = ModuleNames(model)
    word_of: dict[Place, str] = {}
    for word in words:
        targets = named.get(word, word)
        for target in (targets,) if isinstance(targets, str) else targets:
            side, path = _parsed(target)
            try:
                hosts = names.matching(path)
            except ValueError as error:
                if word in named:
                    raise PositionError(f"position {word!r} ({target!r}) isn't in this model: {error}") from error
                raise PositionError(f"no position {word!r}: {_hint(word, named, model)}") from None
            for host in hosts:
                place = Place(names.of[host][0], side)
                other = word_of.get(place)
                if other is not None:
                    both = f"{other!r} and {word!r} both put a layer {place}"
                    raise PositionError(f"has {word!r} twice" if other == word else both)
                word_of[place] = word
    return list(word_of)


def look(model: nn.Module, at: Iterable[Place], images: Tensor) -> dict[Place, PlaceInfo]:
    """What passes through each place, from a run of the model on exactly two images; it is as it was afterwards.

    Raises:
        PositionError: a place that the model never comes to, or where something else passes than a layer can sit on.
    """
    names = ModuleNames(model)
    sites = {place: (names.module[place.path], place.side) for place in at}
    if not sites:
        return {}
    try:
        plan = insert_at(model, {place: _Probe() for place in sites}, images)
    except (TypeError, ValueError) as error:
        raise PositionError(str(error)) from error
    plan.remove()
    channels = find_channels(model, names, list(sites.values()), images)
    probes = zip(sites, plan.layers, strict=True)
    return {place: _info(place, probe, channels[sites[place]], len(images)) for place, probe in probes}


def insert_at(model: nn.Module, layers: Mapping[Place, nn.Module], images: Tensor) -> Plan:
    """`insert` a copy of a layer at each place, in the order of the places."""
    placements = [Placement((place.path,), place.side, "", layer) for place, layer in layers.items()]
    return insert(model, Plan(tuple(placements)), example=images)


def positions(model: nn.Module, named: Named, images: Tensor) -> dict[str, list[PlaceInfo]]:
    """What passes through each named position of a network; arguments as for `places` and `look`."""
    by_name = {name: places(model, named, [name]) for name in named}
    infos = look(model, dict.fromkeys(place for each in by_name.values() for place in each), images)
    return {name: [infos[place] for place in each] for name, each in by_name.items()}


def choices(named: Named, model: nn.Module) -> str:
    """What a position can be called in this model: its names, and a few modules' paths as examples."""
    outer = [path for path, _ in model.named_children()]
    examples = ", ".join(f"'{each}'" for each in ([*outer[-4:-1]] or outer))
    paths = f"any module's path ({examples} and so on) with 'after ' or 'before ' in front; alone it means after"
    return f"{', '.join(named)}, and {paths}" if named else paths


class _Probe(nn.Module):
    """Notes what it is shown. Unlike an `Identity`, it makes `insert` turn fused attention off, as a layer would."""

    shape: tuple[int, ...] = ()
    rows_sum_to_one = False

    def forward(self, x: Tensor) -> Tensor:
        self.shape = tuple(x.shape)
        if x.ndim == 4 and x.shape[2] == x.shape[3] and x.is_floating_point():
            sums = x.sum(-1)
            self.rows_sum_to_one = bool((x >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)
        return x


def _info(place: Place, probe: nn.Module, channels: Channels | None, images: int) -> PlaceInfo:
    assert isinstance(probe, _Probe)
    rank, sizes = len(probe.shape), probe.shape[1:]
    if rank not in (2, 3, 4) or probe.shape[0] != images:
        raise PositionError(
            f"{place} a tensor of shape {probe.shape} passes for {images} images, which is neither maps (N, C, H, W), "
            f"tokens (N, T, F), attention weights (N, heads, T, T) nor features (N, F)"
        )
    if rank == 2:
        return PlaceInfo(place, "features", sizes, 1)
    if probe.rows_sum_to_one:
        return PlaceInfo(place, "attention", sizes, 1)
    if channels is None or not channels.fit(probe.shape):
        return PlaceInfo(place, "unknown", sizes, None)
    return PlaceInfo(place, "tokens" if rank == 3 and channels.dim == -1 else "maps", sizes, channels.dim)


def _parsed(target: str) -> tuple[str, str]:
    side, space, path = target.partition(" ")
    return (side, path) if space and side in ("before", "after") else ("after", target)


def _hint(word: str, named: Named, model: nn.Module) -> str:
    paths = [path for path, _ in model.named_modules() if path]
    side, path = _parsed(word)
    prefix = f"{side} " if path != word else ""
    close = [] if prefix else difflib.get_close_matches(word, named, n=2)
    close = close or [prefix + each for each in difflib.get_close_matches(path, paths, n=2)]
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{hint}known are {choices(named, model)}"
