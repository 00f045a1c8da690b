"""Fashion-MNIST (Xiao, Rasul & Vollgraf 2017): 70,000 pictures of clothes, read from files that are already there."""

import os
from pathlib import Path

from torch import Tensor

from dropover.lab.data import DATA, Data, DataError, DataSource
from dropover.lab.data.idx import read_idx

CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")


def load(folder: Path | None = None) -> Data:
    """The 60,000 training and 10,000 test pictures.

    Args:
        folder: Where the four idx files are, packed or not. None looks in `$DROPOVER_DATA` (or `~/.cache/dropover`),
            then where Debian's package puts them. Torchvision's `FashionMNIST/raw` below any of these counts too.

    Raises:
        DataError: a file is missing or corrupt.
    """
    places = _places(folder)
    train_images, train_labels = _part("train", places)
    test_images, test_labels = _part("t10k", places)
    return Data(train_images, train_labels, test_images, test_labels, CLASSES)


def _places(folder: Path | None) -> list[Path]:
    user = Path(os.environ.get("DROPOVER_DATA") or Path.home() / ".cache" / "dropover")
    roots = [folder.expanduser()] if folder is not None else [user, user / "fashion-mnist", DEBIAN_FOLDER]
    return [place for root in roots for place in (root, root / "FashionMNIST" / "raw")]


def _part(prefix: str, places: list[Path]) -> tuple[Tensor, Tensor]:
    images_file = _find(f"{prefix}-images-idx3-ubyte", places)
    labels_file = _find(f"{prefix}-labels-idx1-ubyte", places)
    images, labels = read_idx(images_file, 3), read_idx(labels_file, 1)
    if len(images) != len(labels):
        raise DataError(
            f"{images_file.name} and {labels_file.name} in {images_file.parent} don't belong together: "
            f"{len(images)} images, {len(labels)} labels: get the files again"
        )
    if int(labels.max()) >= len(CLASSES):
        raise DataError(f"{labels_file.name} in {labels_file.parent} holds a class above 9: get the file again")
    return images.unsqueeze(1), labels.long()


def _find(name: str, places: list[Path]) -> Path:
    for place in places:
        for file in (place / f"{name}.gz", place / name):
            if file.is_file():
                return file
    looked = ", ".join(str(place) for place in places if place.name != "raw")
    raise DataError(
        f"fashion-mnist has no file {name}.gz in {looked}: "
        "run apt-get install dataset-fashion-mnist, or set data.folder to where the files are"
    )


DATA.add(
    DataSource(
        "fashion-mnist",
        ("fmnist", "fashionmnist"),
        "Fashion-MNIST, 28×28 grey: 60,000 to train, 10,000 to test; files from Debian's dataset-fashion-mnist",
        load,
    )
)
