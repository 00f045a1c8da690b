"""`module:factory`: modules that the tests write, each kind of data set that they may return, and what is refused."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from dropover.lab.data import Data, DataError
from dropover.lab.data.parts.loading import load_data
from dropover.lab.study import DataSettings

HEAD = """
import torch
import numpy as np
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset
from dropover.lab.data import Data

bytes_ = torch.arange(6 * 3 * 4 * 4, dtype=torch.uint8).reshape(6, 3, 4, 4)
labels = torch.tensor([0, 1, 2, 0, 1, 2])

class Listed(Dataset):
    def __init__(self, items): self.items = items
    def __len__(self): return len(self.items)
    def __getitem__(self, index): return self.items[index]

class Stream(IterableDataset):
    def __iter__(self): return iter([])
"""

Load = Callable[[str], Data]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Load what an expression gives as the return value of a factory in the current directory."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    count = 0

    def of(expression: str) -> Data:
        nonlocal count
        count += 1
        name = f"mine_{tmp_path.name.replace('-', '_')}_{count}"
        (tmp_path / f"{name}.py").write_text(f"{HEAD}\ndef make():\n    return {expression}\n", encoding="utf-8")
        return load_data(DataSettings(name=f"{name}:make"))

    yield of
    for module in set(sys.modules) - before:
        if module.startswith("mine_"):
            del sys.modules[module]


BYTES = torch.arange(6 * 3 * 4 * 4, dtype=torch.uint8).reshape(6, 3, 4, 4)


@pytest.mark.parametrize(
    "part",
    [
        "(bytes_, labels)",
        "[bytes_, labels.int()]",
        "(bytes_.float() / 255, labels)",
        "TensorDataset(bytes_, labels)",
        "Listed(list(zip(bytes_, labels)))",
        "Listed([(image.double() / 255, int(label)) for image, label in zip(bytes_, labels)])",
        "Listed([(Image.fromarray(image.permute(1, 2, 0).numpy()), np.int64(label))"
        " for image, label in zip(bytes_, labels)])",
    ],
)
def test_every_kind_gives_the_same_bytes(load: Load, part: str) -> None:
    data = load(f"{part}, {part}")
    for images, labels in ((data.train_images, data.train_labels), (data.test_images, data.test_labels)):
        assert torch.equal(images, BYTES)
        assert torch.equal(labels, torch.tensor([0, 1, 2, 0, 1, 2]))
        assert labels.dtype == torch.int64
    assert data.classes == ("0", "1", "2")


def test_grey_images_have_one_channel(load: Load) -> None:
    for part in ("(bytes_[:, 0], labels)", "Listed([(Image.fromarray(i[0].numpy()), 1) for i in bytes_])"):
        assert torch.equal(load(f"{part}, {part}").train_images, BYTES[:, :1])


def test_data_of_our_own_kind_and_classes_with_names(load: Load) -> None:
    assert load("Data(bytes_, labels, bytes_, labels, ('x', 'y', 'z'))").classes == ("x", "y", "z")
    assert load("(setattr(p := Listed(list(zip(bytes_, labels))), 'classes', list('abcd')), (p, p))[1]").classes == (
        *"abcd",
    )


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("3", "must return a pair (train, test) or a dropover Data, got int"),
        ("(1, 2, 3)", "or a dropover Data, got tuple of 3"),
        ("(1, 2)", ", train: must be a map-style torch Dataset or a pair of tensors (images, labels), got int"),
        ("(Stream(), Stream())", ", train: must be a map-style torch Dataset or a pair of tensors"),
        ("1 / 0", "raised ZeroDivisionError: division by zero"),
        ("((bytes_, labels), (bytes_[:0], labels[:0]))", ", test: is empty"),
        ("((bytes_, labels), Listed([]))", ", test: is empty"),
        ("((bytes_, labels), (bytes_[:, :1], labels))", "shape (3, 4, 4), test images (1, 4, 4): they must"),
        ("((bytes_[..., :3], labels),) * 2", ", train: images must have the shape (N, C, H, H), got (6, 3, 4, 3)"),
        ("((bytes_, labels[:5]),) * 2", ", train: labels must have the shape (6,), got (5,)"),
        ("((bytes_, labels.float()),) * 2", ", train: labels must be whole numbers, got torch.float32"),
        ("((bytes_, labels - 1),) * 2", ", train: labels count from 0, got -1"),
        ("((bytes_, labels * 0),) * 2", "must have two classes or more, got 1"),
        ("((bytes_.long(), labels),) * 2", ", train: images must be uint8 or floating in [0, 1], got torch.int64"),
        ("((bytes_ / 127.5 - 1, labels),) * 2", "must lie in [0, 1], got -1 to 1: leave normalising to the network"),
        ("((bytes_ * float('nan'), labels),) * 2", "must lie in [0, 1], got nan to nan"),
        ("Data(bytes_, labels, bytes_, labels, ('x', 'y'))", "has a label 2, but only 2 classes: labels count from 0"),
        ("(Listed([(bytes_[0], 1), (bytes_[0, :1], 1)]),) * 2", "image 0 has shape (3, 4, 4), image 1 (1, 4, 4)"),
        ("(Listed([(bytes_[0], 1), bytes_[1]]),) * 2", "reading image 1 as (image, label) raised ValueError: too many"),
        ("(Listed([(bytes_[0], 0.5)]),) * 2", "the label of image 0 must be a whole number, got 0.5"),
        ("(Listed([('cat.png', 0)]),) * 2", "image 0 must be a PIL image or a tensor, got str"),
    ],
)
def test_what_a_factory_may_not_return(load: Load, expression: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        load(expression)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("mine_")


def test_names_that_lead_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="there is no module 'nowhere'"):
        load_data(DataSettings(name="nowhere:make"))
    with pytest.raises(DataError, match="has no 'make'"):
        load_data(DataSettings(name="json:make"))
    with pytest.raises(DataError, match="folder has no effect on json:loads"):
        load_data(DataSettings(name="json:loads", folder=tmp_path))
    with pytest.raises(DataError, match="size has no effect on json:loads"):
        load_data(DataSettings(name="json:loads", size=3))
