"""`import dropover` is light; its first use loads torch and nothing else that is foreign."""

import subprocess
import sys

import pytest

import dropover

from .. import stubs


def printed_by(code):
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()  # noqa: S603


def loaded_by(code):
    """Top-level names of the modules that a fresh interpreter holds after `code`."""
    shown = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(printed_by(shown))


def test_importing_it_does_not_load_torch():
    loaded = loaded_by("import dropover; dropover.__version__")
    assert not loaded & {"torch", "numpy"}


def test_using_it_loads_nothing_foreign_beyond_torch():
    ours = loaded_by("import dropover; dropover.Dropout; dropover.functional; dropover.METHODS.names()")
    foreign = ours - loaded_by("import torch") - set(sys.stdlib_module_names)
    assert foreign == {"dropover"}


def test_every_public_name_is_there():
    assert {"Dropout", "Flipover", "DensityDropout", "METHODS", "Regularizer", "functional"} <= set(dropover.__all__)
    assert all(getattr(dropover, name) is not None for name in dropover.__all__)
    assert set(dropover.__all__) <= set(dir(dropover))


def test_a_star_import_brings_the_public_names():
    names = {}
    exec("from dropover import *", names)  # noqa: S102
    assert set(dropover.__all__) <= set(names)


def test_a_wrong_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'dropover' has no attribute 'Dropot'"):
        _ = dropover.Dropot


def test_modules_are_there_without_being_imported_first():
    assert "Card" in printed_by("import dropover; print(*vars(dropover.methods))")


def test_type_checkers_are_told_the_same_names():
    for path, text in stubs.rendered().items():
        assert path.read_text(encoding="utf-8") == text, f"{stubs.COMMAND} writes it anew"
