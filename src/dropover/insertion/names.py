"""The modules of a model by name, and which of them a user's word means: a name, a glob pattern or a type."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from torch import nn

from dropover.registry import did_you_mean

Key = str | type[nn.Module]


class ModuleNames:
    """A model's modules and their names, as they were when it was looked at.

    `module` is the module of each name, `of` has all names of each module, in the order of the model: a shared module
    has several, the root's is "".
    """

    def __init__(self, model: nn.Module) -> None:
        self.module = dict(model.named_modules(remove_duplicate=False))
        self.of: dict[nn.Module, tuple[str, ...]] = {}
        for name, module in self.module.items():
            self.of[module] = (*self.of.get(module, ()), name)

    def quoted(self, module: nn.Module) -> str:
        """A module's name as people read it, the first one if it has several."""
        return quoted(self.of[module][0])

    def label(self, module: nn.Module) -> str:
        """A module as errors name it, such as "'layer4.0' (BasicBlock)"."""
        return f"{self.quoted(module)} ({type(module).__name__})"

    def around(self, name: str) -> list[nn.Module]:
        """The module of that name, then what it lies within, the root last."""
        return [self.module[each] for each in upwards(name)]

    def parent(self, name: str) -> tuple[nn.Module, str]:
        """The module that holds the one of that name, and under which attribute."""
        outer, _, attribute = name.rpartition(".")
        return self.module[outer], attribute

    def matching(self, key: Key) -> list[nn.Module]:
        """The modules that `key` means: those of a type, the one of a name, or those of a pattern.

        A pattern matches segment by segment: "blocks.*.mlp" is "blocks.0.mlp" and not "blocks.0.attn.mlp". The root,
        whose name is "", is matched by its name or type only. Raises `TypeError` if `key` is neither a string nor a
        module type, `ValueError` if nothing matches: the message suggests close names.
        """
        if isinstance(key, type):
            if not issubclass(key, nn.Module):
                raise TypeError(f"a type of position must be a subclass of torch.nn.Module, got {key.__name__}")
            modules = [module for module in self.of if isinstance(module, key)]
            if not modules:
                types = dict.fromkeys(type(module).__name__ for module in self.of)
                raise ValueError(f"the model has no module of type {key.__name__}; it has {', '.join(types)}")
            return modules
        if not isinstance(key, str):
            raise TypeError(f"a position must be a name, a pattern or a module type, got {key!r}")
        if key in self.module:
            return [self.module[key]]
        modules = [module for module, names in self.of.items() if any(_matches(name, key) for name in names)]
        if not modules:
            raise ValueError(self._nothing(key))
        return modules

    def _nothing(self, key: str) -> str:
        outer, _, attribute = key.rpartition(".")
        number = vars(self.module[outer]).get(attribute) if outer in self.module else None
        if isinstance(number, int | float) and not isinstance(number, bool):
            kind = type(self.module[outer]).__name__
            return (
                f"{key!r} is a number ({number:g}) and not a module: what {kind} does with it, it does as a function, "
                f"where no layer can be put"
            )
        return f"no module matches {key!r}: {suggestion(key, self.module)}"


def quoted(name: str) -> str:
    """A module's name as people read it: the root's is empty."""
    return repr(name) if name else "the root"


def upwards(name: str) -> list[str]:
    """The name itself, then the names of what is around it, the root's last."""
    segments = name.split(".") if name else []
    return [".".join(segments[:count]) for count in range(len(segments), -1, -1)]


def suggestion(key: str, names: Iterable[str]) -> str:
    """The names closest to `key`, or what there is at the top."""
    within = [name for name in names if name]
    top = [name for name in within if "." not in name]
    at_top = f"at the top are {', '.join(map(repr, top))}" if top else "the model has no submodules, its root is ''"
    return did_you_mean(key, within).rstrip() or at_top


def _matches(name: str, pattern: str) -> bool:
    segments, wanted = name.split("."), pattern.split(".")
    return name != "" and len(segments) == len(wanted) and all(map(fnmatchcase, segments, wanted))
