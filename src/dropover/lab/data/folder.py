"""The user's own images: a folder with one subfolder for each class."""

from pathlib import Path

import torch
from torch import Tensor

from dropover.lab.data import DATA, Data, DataError, DataSource
from dropover.lab.data.parts.decoding import decode_images
from dropover.lab.streams import generator

TEST_SHARE = 0.2


def load(folder: Path | None = None, size: int | None = None) -> Data:
    """The images below `folder`, in memory.

    FOLDER/train/CLASS and FOLDER/test/CLASS are taken as they are. Where there is only FOLDER/CLASS, a fifth of each
    class is for testing, drawn once and for all. Subfolders of a class belong to it. The images have one channel if
    all of them are grey, else three.

    Args:
        folder: The folder; a leading ~ is the home directory.
        size: As for `decode_images`.

    Raises:
        DataError: the folder isn't laid out like this, or an image can't be used.
    """
    if folder is None:
        raise DataError("folder must name the folder of images: data.folder in a study, --folder on the command line")
    root = folder.expanduser()
    if not root.is_dir():
        raise DataError(f"folder {root} does not exist" if not root.exists() else f"folder {root} is not a folder")
    parts = [root / "train", root / "test"]
    there = [part.name for part in parts if part.is_dir()]
    if not there:
        files, labels, classes = _files(root)
        images = decode_images(files, size)
        test = _test_share(labels)
        return Data(images[~test], labels[~test], images[test], labels[test], classes)
    if len(there) == 1:
        absent = "test" if there[0] == "train" else "train"
        raise DataError(
            f"folder {root} has {there[0]} and no {absent}: make both, or have only folders of classes in it"
        )
    (train_files, train_labels, classes), (test_files, test_labels, test_classes) = map(_files, parts)
    if classes != test_classes:
        odd = min(set(classes) ^ set(test_classes))
        lacks = parts[1] if odd in classes else parts[0]
        raise DataError(f"folder {lacks} has no class {odd!r}: train and test must have the same classes")
    # Together, so that all are of one size and grey only if all are.
    images = decode_images([*train_files, *test_files], size)
    count = len(train_files)
    return Data(images[:count], train_labels, images[count:], test_labels, classes)


def _files(root: Path) -> tuple[list[Path], Tensor, tuple[str, ...]]:
    """The images' files with their labels, and the classes."""
    from torchvision.datasets import ImageFolder

    try:
        images = ImageFolder(root)
    except OSError as error:
        raise DataError(f"folder {root} must have one folder of images for each class: {error}") from None
    if len(images.classes) < 2:
        raise DataError(f"folder {root} must have a folder for each of two classes or more, got {images.classes[0]!r}")
    return [Path(file) for file, _label in images.samples], torch.tensor(images.targets), tuple(images.classes)


def _test_share(labels: Tensor) -> Tensor:
    """Which images are for testing (bool, N): of every class the same share, at least one image and never all."""
    test, draws = torch.zeros_like(labels, dtype=torch.bool), generator(0, "folder")
    for label in range(int(labels.max()) + 1):
        members = (labels == label).nonzero().flatten()
        members = members[torch.randperm(len(members), generator=draws)]
        test[members[: min(max(1, round(TEST_SHARE * len(members))), len(members) - 1)]] = True
    return test


def _where(folder: Path | None) -> Path | None:
    return folder.expanduser() if folder is not None and folder.expanduser().is_dir() else None


DATA.add(
    DataSource(
        "folder", (), "Your own: FOLDER/CLASS/*.png, or FOLDER/train/CLASS and FOLDER/test/CLASS", load, _where, load
    )
)
