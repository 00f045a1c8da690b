"""Which modules of a model a user's word means: a name, a glob pattern or a type."""

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from torch import nn

Positions = dict[nn.Module, tuple[str, ...]]


def names_of(model: nn.Module) -> Positions:
    """Every module with all its names, in the order of the model; a shared module has several."""
    names: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        names.setdefault(module, []).append(name)
    return {module: tuple(all_names) for module, all_names in names.items()}


def matched(positions: Positions, key: str | type[nn.Module]) -> list[nn.Module]:
    """The modules that `key` means: those of a type, the one of a name, or those of a pattern.

    A pattern matches segment by segment: "blocks.*.mlp" is "blocks.0.mlp" and not "blocks.0.attn.mlp". The root,
    whose name is "", is matched by its name or type only.

    Raises:
        TypeError: `key` is neither a string nor a module type.
        ValueError: nothing matches; the message suggests close names.
    """
    if isinstance(key, type):
        if not issubclass(key, nn.Module):
            raise TypeError(f"a type of position must be a subclass of torch.nn.Module, got {key.__name__}")
        found = [module for module in positions if isinstance(module, key)]
        if not found:
            types = dict.fromkeys(type(module).__name__ for module in positions)
            raise ValueError(f"the model has no module of type {key.__name__}; it has {', '.join(types)}")
        return found
    if not isinstance(key, str):
        raise TypeError(f"a position must be a name, a pattern or a module type, got {key!r}")
    exact = [module for module, names in positions.items() if key in names]
    if exact:
        return exact
    found = [module for module, names in positions.items() if any(_matches(name, key) for name in names)]
    if not found:
        raise ValueError(_nothing(positions, key))
    return found


def _matches(name: str, pattern: str) -> bool:
    segments, wanted = name.split("."), pattern.split(".")
    return name != "" and len(segments) == len(wanted) and all(map(fnmatchcase, segments, wanted))


def _nothing(positions: Positions, key: str) -> str:
    modules = {name: module for module, names in positions.items() for name in names}
    parent, _, attribute = key.rpartition(".")
    number = vars(modules[parent]).get(attribute) if parent in modules else None
    if isinstance(number, int | float) and not isinstance(number, bool):
        kind = type(modules[parent]).__name__
        return (
            f"{key!r} is a number ({number:g}) and not a module: what {kind} does with it, it does as a function, "
            f"where no layer can be put"
        )
    return f"no module matches {key!r}: {suggestion(key, modules)}"


def suggestion(key: str, names: Iterable[str]) -> str:
    """The names closest to `key`, or what there is at the top."""
    known = [name for name in names if name]
    close = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    top = [name for name in known if "." not in name]
    return f"at the top are {', '.join(map(repr, top))}" if top else "the model has no submodules, its root is ''"
