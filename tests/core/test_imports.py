"""`import dropover` is light; its first use loads torch and nothing else that is foreign."""

import subprocess
import sys

import pytest

import dropover


def loaded_by(code):
    """Top-level names of the modules that a fresh interpreter holds after `code`."""
    shown = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)  # noqa: S603
    return set(done.stdout.split())


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
