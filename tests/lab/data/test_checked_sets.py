"""CIFAR-10, CIFAR-100 and SVHN: files in the published formats, bit by bit, but with few images.

Torchvision refuses files whose MD5 isn't the published one, so the tests publish their own: everything else, the
reading, the check and the download, runs as it does with the real files.
"""

import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from numpy.typing import NDArray
from torchvision import datasets

from dropover.lab.data import DATA, DataError

CIFAR = {
    "cifar10": (datasets.CIFAR10, b"labels", 10, ["data_batch_1", "data_batch_2"], "test_batch"),
    "cifar100": (datasets.CIFAR100, b"fine_labels", 100, ["train"], "test"),
}
COUNT = 100
draws = np.random.default_rng(0)


def old_pickle(value: Any) -> bytes:
    """Opcodes as Python 2 and the NumPy of 2009 wrote them into CIFAR's files: byte strings, and flags as numbers."""
    if isinstance(value, bytes):
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<I", len(value)) + value
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"(" + b"".join(map(old_pickle, value)) + b"l"
    if isinstance(value, dict):
        return b"(" + b"".join(old_pickle(part) for pair in value.items() for part in pair) + b"d"
    assert isinstance(value, np.ndarray)
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    shape = b"(" + b"".join(map(old_pickle, value.shape)) + b"t"
    return empty + b"(K\x01" + shape + dtype + b"\x89" + old_pickle(value.tobytes()) + b"tb"


def write_cifar(root: Path, name: str) -> tuple[list[NDArray[np.uint8]], list[list[int]]]:
    """The set's files below `root`, and what was written: pixels and labels of each file, the test file last."""
    kind, key, classes, train, test = CIFAR[name]
    folder = root / kind.base_folder
    folder.mkdir(parents=True)
    pixels, labels = [], []
    for file in [*train, test]:
        pixels.append(draws.integers(0, 256, (COUNT, 3 * 32 * 32), dtype=np.uint8))
        labels.append(draws.integers(0, classes, COUNT).tolist())
        content = {b"batch_label": b"some", b"data": pixels[-1], key: labels[-1]}
        (folder / file).write_bytes(b"\x80\x02" + old_pickle(content) + b".")
    names = {kind.meta["key"].encode(): [f"class {number}".encode() for number in range(classes)]}
    (folder / kind.meta["filename"]).write_bytes(b"\x80\x02" + old_pickle(names) + b".")
    return pixels, labels


def publish_cifar(monkeypatch: pytest.MonkeyPatch, md5: Callable[[Path], str], root: Path, name: str) -> None:
    kind, _, _, train, test = CIFAR[name]
    folder = root / kind.base_folder
    # The real CIFAR-10 has five training batches; the names of the other three stand for the first.
    listed = [entry[0] for entry in kind.train_list]
    for missing in listed[len(train) :]:
        (folder / missing).write_bytes((folder / train[0]).read_bytes())
    monkeypatch.setattr(kind, "train_list", [[file, md5(folder / file)] for file in listed])
    monkeypatch.setattr(kind, "test_list", [[test, md5(folder / test)]])
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5(folder / kind.meta["filename"])})


@pytest.mark.parametrize("name", CIFAR)
def test_cifar_is_read_whole_and_in_the_files_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, md5: Callable[[Path], str], name: str
) -> None:
    pixels, labels = write_cifar(tmp_path, name)
    publish_cifar(monkeypatch, md5, tmp_path, name)
    data = DATA.get(name).load(tmp_path)
    for number, file in enumerate(pixels[:-1]):
        part = slice(number * COUNT, (number + 1) * COUNT)
        assert np.array_equal(data.train_images[part].numpy(), file.reshape(COUNT, 3, 32, 32))
        assert data.train_labels[part].tolist() == labels[number]
    assert np.array_equal(data.test_images.numpy(), pixels[-1].reshape(COUNT, 3, 32, 32))
    assert data.test_labels.tolist() == labels[-1]
    assert data.train_images.is_contiguous()
    assert (data.classes[1], len(data.classes)) == ("class 1", CIFAR[name][2])


def test_a_damaged_batch_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, md5: Callable[[Path], str]) -> None:
    write_cifar(tmp_path, "cifar10")
    publish_cifar(monkeypatch, md5, tmp_path, "cifar10")
    batch = tmp_path / "cifar-10-batches-py" / "data_batch_2"
    batch.write_bytes(batch.read_bytes()[:-1])
    with pytest.raises(DataError, match=f"^data_batch_2 in {batch.parent} is damaged, its MD5 is not the published"):
        DATA.get("cifar10").load(tmp_path)


def test_a_missing_batch_is_named_where_it_can_t_be_downloaded(tmp_path: Path, unreachable: None) -> None:
    write_cifar(tmp_path, "cifar100")
    (tmp_path / "cifar-100-python" / "meta").unlink()
    with pytest.raises(DataError) as caught:
        DATA.get("cifar100").load(tmp_path)
    message = str(caught.value)
    assert message.startswith(
        f"cifar100 has no file cifar-100-python/meta in {tmp_path}, {tmp_path / 'cifar100'}, and the download failed ("
    )
    assert message.endswith(": set data.folder or $DROPOVER_DATA to where the files are")


@pytest.fixture
def packed(
    served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, md5: Callable[[Path], str]
) -> tuple[Path, NDArray[np.uint8]]:
    """CIFAR-100's archive where it is published, and its training pixels."""
    folder, address = served
    pixels, _ = write_cifar(tmp_path / "original", "cifar100")
    publish_cifar(monkeypatch, md5, tmp_path / "original", "cifar100")
    archive = folder / "cifar-100-python.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "original" / "cifar-100-python", "cifar-100-python")
    monkeypatch.setattr(datasets.CIFAR100, "url", address + archive.name)
    monkeypatch.setattr(datasets.CIFAR100, "tgz_md5", md5(archive))
    return archive, pixels[0]


def test_cifar_is_downloaded_once(
    packed: tuple[Path, NDArray[np.uint8]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    for said in (f"cifar100: downloading from {datasets.CIFAR100.url} to {root}\n", ""):
        data = DATA.get("cifar100").load(root)
        assert np.array_equal(data.train_images.numpy().reshape(COUNT, -1), packed[1])
        err = capfd.readouterr().err
        assert err.startswith(said)
        assert bool(err) == bool(said)


def test_an_archive_that_is_there_is_unpacked_without_a_network(
    packed: tuple[Path, NDArray[np.uint8]], tmp_path: Path, unreachable: None
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    archive = root / packed[0].name
    archive.write_bytes(packed[0].read_bytes())
    assert np.array_equal(DATA.get("cifar100").load(root).train_images.numpy().reshape(COUNT, -1), packed[1])
    other = tmp_path / "other"
    other.mkdir()
    (other / archive.name).write_bytes(archive.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"cifar-100-python\.tar\.gz in .*other is damaged"):
        DATA.get("cifar100").load(other)


def write_svhn(root: Path) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """SVHN's two files: pixels of shape (row, column, channel, image), labels from 1 with 10 for the digit 0."""
    root.mkdir(exist_ok=True)
    written = {}
    for part, count in (("train", 50), ("test", 20)):
        pixels = draws.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        labels = (np.arange(count) % 10 + 1).astype(np.uint8)[:, None]
        scipy.io.savemat(root / f"{part}_32x32.mat", {"X": pixels, "y": labels}, do_compression=True)
        written[part] = pixels, labels
    return written


def publish_svhn(monkeypatch: pytest.MonkeyPatch, md5: Callable[[Path], str], root: Path, address: str) -> None:
    files = {part: f"{part}_32x32.mat" for part in ("train", "test")}
    listed = {part: [address + file, file, md5(root / file)] for part, file in files.items()}
    monkeypatch.setattr(datasets.SVHN, "split_list", listed)


def test_svhn_is_turned_to_channels_first_and_its_tens_are_zeros(
    served: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, md5: Callable[[Path], str]
) -> None:
    written = write_svhn(served[0])
    publish_svhn(monkeypatch, md5, *served)
    for folder in (served[0], tmp_path / "downloaded"):
        data = DATA.get("svhn").load(folder)
        for part, images, labels in (
            ("train", data.train_images, data.train_labels),
            ("test", data.test_images, data.test_labels),
        ):
            assert images.dtype == torch.uint8
            assert images.is_contiguous()
            assert np.array_equal(images.numpy(), np.moveaxis(written[part][0], [3, 2], [0, 1]))
            assert labels.tolist() == (written[part][1][:, 0] % 10).tolist()


def test_a_damaged_svhn_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, md5: Callable[[Path], str]) -> None:
    write_svhn(tmp_path)
    publish_svhn(monkeypatch, md5, tmp_path, "")
    (tmp_path / "test_32x32.mat").write_bytes(b"cut off")
    with pytest.raises(DataError, match=f"^test_32x32.mat in {tmp_path} is damaged"):
        DATA.get("svhn").load(tmp_path)
