"""The modules beside the documents, which measure what these say: each is imported as its command finds it."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parent.parent / "docs"


def module_of(folder: str, name: str) -> Callable[[], Iterator[ModuleType]]:
    """A fixture: that module of docs/FOLDER."""

    @pytest.fixture(scope="module")
    def module() -> Iterator[ModuleType]:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(DOCS / folder))
            yield import_module(name)

    return module
