"""What type checkers are told of the names that the package finds at run time: `python -m tests.stubs` writes it.

A test compares the files with `rendered()`.
"""

from pathlib import Path
from types import ModuleType

import dropover
from dropover import functional, lab

COMMAND = "python -m tests.stubs"


def rendered() -> dict[Path, str]:
    """The stub beside each module that gathers its names, and what belongs into it."""
    gathering = {
        dropover: "The public names.",
        functional: "Every method as a pure function.",
        lab: "The lab's public names.",
    }
    return {Path(str(module.__file__)).with_suffix(".pyi"): _stub(module, title) for module, title in gathering.items()}


def _stub(module: ModuleType, title: str) -> str:
    names = [name for name in module.__all__ if name != "__version__"]
    lines = sorted(f"from {_home(module, name)} import {name} as {name}" for name in names)
    version = ["", "__version__: str"] if "__version__" in module.__all__ else []
    parts = [f'"""{title} Written by `{COMMAND}`."""', "", *lines, *version, ""]
    return "\n".join(parts)


def _home(module: ModuleType, name: str) -> str:
    value = getattr(module, name)
    if isinstance(value, ModuleType):
        return value.__name__.rpartition(".")[0]
    return "dropover.methods" if value is dropover.METHODS else value.__module__


if __name__ == "__main__":
    for path, text in rendered().items():
        path.write_text(text, encoding="utf-8")
