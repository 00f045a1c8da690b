"""Which files the user's own code consists of, found without running more than the import."""

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from dropover.lab.records import sources as module
from dropover.lab.records.sources import UserSources, forget_sources, user_sources

Write = Callable[[Mapping[str, str]], Path]
_numbers = itertools.count()


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes files to a new folder, which becomes the current one; what is imported from there is forgotten at last."""

    def forget() -> None:
        for name, found in list(sys.modules.items()):
            if str(tmp_path) in str(getattr(found, "__spec__", None)):
                del sys.modules[name]
        forget_sources()

    def written(files: Mapping[str, str]) -> Path:
        forget()
        folder = tmp_path / f"folder {next(_numbers)}"
        folder.mkdir()
        for file, content in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(content, encoding="utf-8")
        monkeypatch.chdir(folder)
        return folder

    yield written
    forget()


MAKE = "def make(): ...\n"


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("import helper", {"helper.py"}),
        ("import helper as h, json", {"helper.py"}),
        ("from helper import *", {"helper.py"}),
        ("def late():\n    if False:\n        import helper", {"helper.py"}),
        ("try:\n    import not_there\nexcept ImportError:\n    import helper", {"helper.py"}),
        ("import importlib\nimportlib.import_module('helper')", {"helper.py"}),
        ("from importlib import import_module\nimport_module('helper')", {"helper.py"}),
        ("__import__('helper')", {"helper.py"}),
        ("import pack.inner", {"pack/__init__.py", "pack/inner.py", "pack/other.py"}),
        ("from pack import inner", {"pack/__init__.py", "pack/inner.py", "pack/other.py"}),
        ("import pack", {"pack/__init__.py"}),
        ("from loose.folder import part", {"loose/folder/part.py"}),
        ("import os, collections.abc, torch.nn", set()),
    ],
)
def test_imports_are_followed_wherever_they_stand(write: Write, line: str, files: set[str]):
    write(
        {
            "start.py": f"{line}\n{MAKE}",
            "helper.py": "",
            "beside.py": "",
            "pack/__init__.py": "attribute = 1",
            "pack/inner.py": "from .other import *",
            "pack/other.py": "from . import attribute",
            "pack/beside.py": "",
            "loose/folder/part.py": "",
        }
    )
    assert set(user_sources("start:make").files) == {"start.py", *files}


def test_imports_of_imports_in_circles_and_the_packages_that_a_module_is_in(write: Write):
    write(
        {
            "a/__init__.py": "import outside",
            "a/b/__init__.py": "",
            "a/b/start.py": "from .. import c\nfrom ..d.e import value\n" + MAKE,
            "a/c.py": "",
            "a/d/__init__.py": "",
            "a/d/e.py": "value = 1\ndef later(): import a.b.start",
            "outside.py": "import further",
            "further.py": "",
        }
    )
    assert set(user_sources("a.b.start:make").files) == {
        "a/__init__.py", "a/b/__init__.py", "a/b/start.py", "a/c.py", "a/d/__init__.py", "a/d/e.py", "outside.py",
        "further.py",
    }  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "import importlib\nfor name in ('one', 'two'): importlib.import_module(name)",
        "import importlib\nname = 'one'\nimportlib.import_module(f'{name}')",
        "import pkgutil\nlist(pkgutil.iter_modules(['.']))",
        "from pathlib import Path\nexec(Path('odd-name.py').read_text())",
    ],
)
def test_where_a_name_is_computed_every_module_beside_it_counts(write: Write, line: str):
    write({"start.py": f"{line}\n{MAKE}", "one.py": "", "two.py": "", "odd-name.py": "", "pack/__init__.py": "",
           "pack/deep/three.py": "", "data/notes.txt": "", "data/script.py": ""})  # fmt: skip
    assert set(user_sources("start:make").files) == {
        "start.py", "one.py", "two.py", "odd-name.py", "pack/__init__.py", "pack/deep/three.py"
    }  # fmt: skip


def test_every_edit_is_seen_and_a_folder_that_moves_is_not(write: Write):
    files = {"start.py": "import helper\n" + MAKE, "helper.py": "import further", "further.py": "A = 1"}
    write(files)
    before = user_sources("start:make")
    write(files)
    assert user_sources("start:make") == before
    for file in files:
        write({**files, file: files[file] + "\n"})
        found = user_sources("start:make").files
        assert {name for name in found if found[name] != before.files[name]} == {file}


def test_a_process_goes_by_what_it_has_imported(write: Write):
    folder = write({"start.py": MAKE})
    before = user_sources("start:make")
    (folder / "start.py").write_text("edited = True\n" + MAKE, encoding="utf-8")
    assert user_sources("start:make") is before


def test_installed_packages_are_named_and_their_files_left_out(write: Write):
    write({"start.py": "import torch\nfrom PIL import Image\nimport os.path\nimport dropover\n" + MAKE})
    assert user_sources("start:make") == UserSources(
        {"start.py": user_sources("start:make").files["start.py"]}, ("PIL", "torch")
    )


def test_a_factory_that_is_installed_is_known_by_its_file_and_its_package(write: Write):
    write({})
    found = user_sources("timm.models.resnet:resnet18")
    assert list(found.files) == ["timm/models/resnet.py"]
    assert "timm" in found.packages


def test_a_lazily_imported_module_that_is_no_python_counts_as_it_is(write: Write):
    write({"start.py": "def late():\n    import broken\n" + MAKE, "broken.py": "import (\n"})
    assert set(user_sources("start:make").files) == {"start.py", "broken.py"}


def test_relative_names_become_absolute():
    for name, inside, absolute in [
        ("helper", "a.b", "helper"),
        (".", "a.b", "a.b"),
        (".c", "a.b", "a.b.c"),
        ("..c.d", "a.b", "a.c.d"),
    ]:
        assert module._absolute(name, inside) == absolute
