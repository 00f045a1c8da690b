import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from torchvision.datasets import CIFAR10, CIFAR100, MNIST, SVHN, FashionMNIST

# A port that nothing listens on: refused at once, and the same with a network as without.
NOWHERE = "http://127.0.0.1:9/"


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """No data set can be downloaded."""
    for kind in (MNIST, FashionMNIST):
        monkeypatch.setattr(kind, "mirrors", [NOWHERE])
    for kind in (CIFAR10, CIFAR100):
        monkeypatch.setattr(kind, "url", NOWHERE + kind.filename)
    moved = {part: [NOWHERE + file, file, checksum] for part, (_, file, checksum) in SVHN.split_list.items()}
    monkeypatch.setattr(SVHN, "split_list", moved)


@pytest.fixture
def make_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], ModuleType]:
    """A function of a name and source text that makes and imports a module, which workers find as well."""

    def make(name: str, source: str) -> ModuleType:
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return make
