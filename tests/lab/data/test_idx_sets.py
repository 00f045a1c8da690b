"""MNIST and Fashion-MNIST: idx files on disk, the real ones where they are, a real download, and what is said else."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision import datasets

from dropover.lab.data import DATA, DataError
from dropover.lab.data.fashion_mnist import DEBIAN_FOLDER
from dropover.lab.data.parts.loading import load_data
from dropover.lab.study import DataSettings

TRAIN, TEST = 30, 20
SETS = [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")]


def write_idx(path: Path, array: Tensor) -> None:
    header = struct.pack(f">{array.dim() + 1}I", 0x800 + array.dim(), *array.shape)
    path.write_bytes(gzip.compress(header + array.numpy().tobytes()))


def write_set(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for prefix, count in (("train", TRAIN), ("t10k", TEST)):
        images = torch.arange(count * 28 * 28).reshape(count, 28, 28).remainder(251).to(torch.uint8)
        write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", torch.arange(count).remainder(10).to(torch.uint8))
    return folder


def unpack(folder: Path, raw: Path) -> None:
    raw.mkdir(parents=True)
    for file in folder.glob("*.gz"):
        (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    return write_set(tmp_path / "files")


@pytest.mark.parametrize(("name", "kind"), SETS)
def test_torchvision_reads_the_same_from_the_same_files(tmp_path: Path, name: str, kind: str) -> None:
    unpack(write_set(tmp_path / "packed"), tmp_path / kind / "raw")
    data = load_data(DataSettings(name=name, folder=tmp_path))
    train, test = (getattr(datasets, kind)(tmp_path, train=train) for train in (True, False))
    assert torch.equal(data.train_images, train.data.unsqueeze(1))
    assert torch.equal(data.test_images, test.data.unsqueeze(1))
    assert torch.equal(data.train_labels, train.targets)
    assert torch.equal(data.test_labels, test.targets)
    assert (data.train_images.dtype, data.train_labels.dtype) == (torch.uint8, torch.int64)


def test_packed_files_in_a_folder_that_is_named(fashion: Path) -> None:
    data = load_data(DataSettings(name="fashion-mnist", folder=fashion))
    assert data.train_images.shape == (TRAIN, 1, 28, 28)
    assert data.test_images.flatten()[:3].tolist() == [0, 1, 2]
    assert data.test_labels.tolist() == [*range(10), *range(10)]


def test_the_data_folder_is_found_and_its_bare_files_belong_to_no_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unreachable: None
) -> None:
    monkeypatch.setenv("DROPOVER_DATA", str(tmp_path))
    write_set(tmp_path)
    assert DATA.get("mnist").where(None) is None
    with pytest.raises(DataError, match=r"mnist has no file train-images-idx3-ubyte\.gz in"):
        DATA.get("mnist").load(None)
    write_set(tmp_path / "mnist")
    assert DATA.get("mnist").where(None) == tmp_path / "mnist"
    assert len(DATA.get("mnist").load(None).train_labels) == TRAIN


@pytest.mark.parametrize(("name", "kind"), SETS)
def test_missing_files_are_downloaded_into_the_folder_and_it_is_said(
    tmp_path: Path,
    served: tuple[Path, str],
    md5: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
    kind: str,
) -> None:
    source, address = served
    write_set(source)
    published = getattr(datasets, kind)
    monkeypatch.setattr(published, "mirrors", [address])
    monkeypatch.setattr(published, "resources", [(file, md5(source / file)) for file, _ in published.resources])
    root = tmp_path / "new" / "folder"
    data = DATA.get(name).load(root)
    assert data.train_labels.tolist() == [*range(10)] * 3
    assert capfd.readouterr().err.startswith(f"{name}: downloading from {address} to {root}\n")
    assert DATA.get(name).where(root) == root / kind / "raw"
    assert [path.name for path in root.iterdir()] == [kind]
    DATA.get(name).load(root)
    assert capfd.readouterr().err == ""


def test_a_download_that_breaks_off_or_is_not_the_published_file_leaves_nothing(
    tmp_path: Path, served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, address = served
    write_set(source)
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [address])
    with pytest.raises(DataError, match=r"the download failed .*File not found or corrupted") as caught:
        DATA.get("fashion-mnist").load(tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_missing_file_says_what_where_and_what_to_do(fashion: Path, unreachable: None) -> None:
    (fashion / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError) as caught:
        DATA.get("fashion-mnist").load(fashion)
    message = str(caught.value)
    assert message.startswith(f"fashion-mnist has no file t10k-labels-idx1-ubyte.gz in {fashion}, and the download")
    assert "Connection refused" in message
    assert message.endswith(
        "run apt-get install dataset-fashion-mnist, or set data.folder or $DROPOVER_DATA to where the files are"
    )
    assert "\n" not in message


def test_a_folder_that_can_t_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"mnist has no file .* the download failed \(.*file"):
        DATA.get("mnist").load(tmp_path / "file" / "below")


# Ids of their own: pytest would make them of the bytes, in which gzip writes the time.
@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"not gzip", "can't be read", id="not packed"),
        pytest.param(gzip.compress(b"ab"), "can't be read", id="no header"),
        pytest.param(gzip.compress(struct.pack(">2I", 0x803, 5) + bytes(5)), "not an idx file", id="header of images"),
        pytest.param(gzip.compress(struct.pack(">2I", 0x801, 30) + bytes(29)), "29 of 30 bytes", id="a byte short"),
        pytest.param(
            gzip.compress(struct.pack(">2I", 0x801, 29) + bytes(29)), "30 images, 29 labels", id="a label short"
        ),
        pytest.param(gzip.compress(struct.pack(">2I", 0x801, 30) + bytes([10] * 30)), "a class above 9", id="class 10"),
        pytest.param(gzip.compress(struct.pack(">2I", 0x801, 30) + bytes(30))[:-9], "can't be read", id="cut short"),
    ],
)
def test_a_damaged_file_is_named(fashion: Path, content: bytes, said: str) -> None:
    (fashion / "train-labels-idx1-ubyte.gz").write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        DATA.get("fashion-mnist").load(fashion)
    assert "train-labels-idx1-ubyte.gz" in str(caught.value)
    assert str(fashion) in str(caught.value)


@pytest.mark.skipif(not DEBIAN_FOLDER.is_dir(), reason="the Debian package dataset-fashion-mnist is not installed")
def test_the_real_fashion_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROPOVER_DATA", str(tmp_path))
    data = DATA.get("fashion-mnist").load(None)
    assert data.train_images.shape == (60000, 1, 28, 28)
    assert data.train_labels.bincount().tolist() == [6000] * 10
    assert data.test_labels.bincount().tolist() == [1000] * 10
    # The first training picture is an ankle boot; the mean of all is known.
    assert data.classes[int(data.train_labels[0])] == "ankle boot"
    assert float(data.train_images.double().mean()) / 255 == pytest.approx(0.2860, abs=1e-4)
