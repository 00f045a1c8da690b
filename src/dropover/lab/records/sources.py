"""The files that the user's own code consists of: a module, and what it imports that is not installed.

Imports are read from the source, so that those inside functions are found before they are run. Where a module imports
by a name that it computes, every module beside it counts. What code reads from other files, such as weights or a
configuration, can't be seen here.
"""

import ast
import functools
import importlib.util
import itertools
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from dropover.lab.digests import of_bytes
from dropover.lab.records.live_code import live_code
from dropover.lab.user_code import current_directory_importable, factory_named, is_handed_over

_IMPORTERS = ("import_module", "__import__")
"""Functions that import the module that their first argument names."""
_SEARCHERS = ("iter_modules", "walk_packages", "spec_from_file_location", "run_path", "run_module", "exec")
"""Functions that may run any file."""


@dataclass(frozen=True)
class UserSources:
    """What one factory of the user's rests on.

    `files` go from each file's path, seen from where it is imported, to the SHA-256 of its content; `packages` are the
    installed ones that those files import, by the names they are imported by.
    """

    files: dict[str, str]
    packages: tuple[str, ...]


def user_sources(name: str) -> UserSources:
    """The sources of "module:factory", or of a function that this process alone has.

    Files are read once in a process, right when the module is imported, and anew after `forget_sources`: a process goes
    on with the code that it has imported, whatever becomes of the files.

    Raises:
        ValueError: the module can't be imported or has no such factory.
    """
    function = factory_named(name)
    if not is_handed_over(name):
        return _of_module(name.partition(":")[0])
    live = live_code(function, _is_users)
    packages = {name.partition(".")[0] for name in live.installed}
    installed = (name for name in packages if (spec := _spec(name)) is not None and _is_installed(spec))
    return UserSources(live.digests, tuple(sorted({*installed} - {"dropover"})))


def forget_sources() -> None:
    """Have files read anew that were read before: processes that are started from here on do so too."""
    _of_module.cache_clear()


def _is_users(module: str) -> bool:
    top = module.partition(".")[0]
    spec = None if top in ("dropover", "builtins") else _spec(top)
    return spec is not None and _is_own(spec)


@functools.cache
def _of_module(module: str) -> UserSources:
    with current_directory_importable():
        return _Search(module).run()


class _Search:
    """Follows imports from one module on."""

    def __init__(self, start: str) -> None:
        self._start = start
        self._waiting = [start]
        self._files: dict[str, str] = {}
        self._packages: set[str] = set()

    def run(self) -> UserSources:
        seen: set[str] = set()
        while self._waiting:
            name = self._waiting.pop()
            if name in seen or not name:
                continue
            seen.add(name)
            self._waiting.append(name.rpartition(".")[0])  # a package's __init__ runs before its modules
            self._take(name)
        return UserSources(dict(sorted(self._files.items())), tuple(sorted(self._packages)))

    def _take(self, name: str) -> None:
        top = name.partition(".")[0]
        package = _spec(top)
        if package is None or top == "dropover":  # ours is told apart from the user's
            return
        if not _is_own(package):
            if _is_installed(package):
                self._packages.add(top)
            if name != self._start:
                return
        spec = _spec(name)
        if spec is None or spec.origin is None or not Path(spec.origin).is_file():
            return  # an attribute, a module that isn't there, or a folder without __init__.py
        file = Path(spec.origin)
        parts = name.split(".") if spec.submodule_search_locations else name.split(".")[:-1]
        content = self._read("/".join([*parts, file.name]), file)
        if file.suffix == ".py":
            self._follow(content, name if spec.submodule_search_locations else name.rpartition(".")[0], package)

    def _read(self, key: str, file: Path) -> bytes:
        content = file.read_bytes()
        self._files[key] = of_bytes(content)
        return content

    def _follow(self, content: bytes, inside: str, package: ModuleSpec) -> None:
        try:
            tree = ast.parse(content)
        except (SyntaxError, ValueError, RecursionError):
            return  # it can't be imported either
        imports = list(_imports(tree, inside))
        self._waiting += [name for name in imports if name is not None]
        if None in imports and _is_own(package):
            for relative, file in _beside(package):
                self._read(relative.as_posix(), file)
                self._waiting.append(".".join(relative.with_suffix("").parts).removesuffix(".__init__"))


def _imports(tree: ast.AST, inside: str) -> Iterator[str | None]:
    """The names that may be modules which a module imports, anywhere in it; None for one that can't be told.

    Relative imports start at the package that it is `inside`, or is.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute("." * node.level + (node.module or ""), inside)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if base and alias.name != "*")
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0] if node.args else None
            if called in _IMPORTERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield _absolute(first.value, inside)
            elif called in (*_IMPORTERS, *_SEARCHERS):
                yield None


def _absolute(name: str, inside: str) -> str:
    """A module's full name from a relative one such as "..helpers", which is seen from the package `inside`."""
    rest = name.lstrip(".")
    level = len(name) - len(rest)
    if not level:
        return name
    parts = inside.split(".") if inside else []
    return ".".join([*parts[: len(parts) - level + 1], *([rest] if rest else [])])


def _spec(name: str) -> ModuleSpec | None:
    """Where a module is found, without importing anything; None where it isn't."""
    top, *rest = name.split(".")
    try:
        spec = _of_script() if top == "__main__" else importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        # By its last name alone: by the full one Python looks for the package among what is imported.
        spec = PathFinder.find_spec(part, list(spec.submodule_search_locations))
    return spec


def _of_script() -> ModuleSpec | None:
    """The program that is running, if it is a file."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return None if file is None else importlib.util.spec_from_file_location("__main__", file)


def _place(spec: ModuleSpec) -> Path | None:
    """The folder of a package or file of a module; None for what is built into Python."""
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.has_location and spec.origin is not None else None


def _is_installed(spec: ModuleSpec) -> bool:
    place = _place(spec)
    return place is not None and bool({"site-packages", "dist-packages"} & set(place.parts))


def _is_own(spec: ModuleSpec) -> bool:
    """Whether it is neither installed nor of the standard library."""
    place = _place(spec)
    standard = (sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib"))
    return place is not None and not _is_installed(spec) and not any(map(place.is_relative_to, standard))


def _beside(package: ModuleSpec) -> Iterator[tuple[Path, Path]]:
    """Every Python file of a package, or of a module's folder and the packages in it: seen from there, and whole."""
    place = _place(package)
    if place is None:
        return
    root = place.parent
    files = [place.rglob("*.py")]
    if not package.submodule_search_locations:
        files = [root.glob("*.py"), *(init.parent.rglob("*.py") for init in root.glob("*/__init__.py"))]
    for file in sorted(itertools.chain(*files)):
        yield file.relative_to(root), file
