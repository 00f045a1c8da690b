"""Prints the lowest versions that pyproject.toml promises, as constraints for pip: `make test-lowest` runs with them.

What only tests and linters need is left to pip: users don't install it.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
USERS = ("lab", "fast", "lightning", "transformers", "tensorboard", "mlflow", "search")
_PROMISE = re.compile(r"(?P<name>[\w.-]+)>=(?P<version>[\w.]+)")


def lowest(project: dict[str, Any]) -> list[str]:
    """The lowest version of each requirement of the core and of the extras that users install, as `name==version`.

    Args:
        project: The table `project` of a pyproject.toml.

    Raises:
        ValueError: a requirement that has no lowest version, or more than one.
    """
    extras = project["optional-dependencies"]
    pins = []
    for requirement in [*project["dependencies"], *(each for name in USERS for each in extras[name])]:
        promise = _PROMISE.fullmatch(requirement)
        if promise is None:
            raise ValueError(f"a requirement must read name>=version, got {requirement!r} in pyproject.toml")
        pins.append(f"{promise['name']}=={promise['version']}")
    return pins


if __name__ == "__main__":
    print(*lowest(tomllib.loads(PYPROJECT.read_text())["project"]), sep="\n")
