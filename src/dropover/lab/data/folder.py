"""The user's own images: a folder with one subfolder for each class, decoded by several threads."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from dropover.lab.data import DATA, Data, DataError, DataSource
from dropover.lab.machine import usable_cores
from dropover.lab.streams import generator
from dropover.lab.waiting import shown

TEST_SHARE = 0.2
GREY = ("1", "L", "LA")
COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")


def load(folder: Path | None = None, size: int | None = None) -> Data:
    """The images below `folder`, in memory.

    FOLDER/train/CLASS and FOLDER/test/CLASS are taken as they are. Where there is only FOLDER/CLASS, a fifth of each
    class is for testing, drawn once and for all. Subfolders of a class belong to it. The images have one channel if
    all of them are grey, else three.

    Args:
        folder: The folder; a leading ~ is the home directory.
        size: Pixels a side that every image is scaled and centre-cropped to. Without it they must be square and of
            one size.

    Raises:
        DataError: the folder isn't laid out like this; or a file is no image, has more than 8 bits a channel, or
            differs in size where no size is given.
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
        images = _decode(files, size)
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
    images = _decode([*train_files, *test_files], size)
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


def _decode(files: Sequence[Path], size: int | None) -> Tensor:
    """The images as uint8 of shape (N, C, H, W): one channel if all of them are grey, else three."""
    # Pillow decodes without holding Python's lock.
    with ThreadPoolExecutor(usable_cores()) as threads:
        heads = list(shown(threads.map(_head, files), len(files), "looking at images"))
        side = size or _common_side(files, [shape for _, shape in heads])
        mode = "L" if all(mode in GREY for mode, _ in heads) else "RGB"
        images = np.empty((len(files), len(mode), side, side), dtype=np.uint8)

        def fill(index: int) -> None:
            images[index] = _pixels(files[index], mode, side)

        for _ in shown(threads.map(fill, range(len(files))), len(files), "decoding images"):
            pass
    return torch.from_numpy(images)


@contextmanager
def _image(file: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(file) as image:
            yield image
    # The readers of the many formats raise whatever they stumble over.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{file.name} in {file.parent} can't be decoded ({reason}): replace or remove it") from None


def _head(file: Path) -> tuple[str, tuple[int, int]]:
    """The image's mode and (width, height), which stand at the beginning of the file."""
    with _image(file) as image:
        mode, shape = image.mode, image.size
    if mode not in (*GREY, *COLOUR):
        raise DataError(
            f"{file.name} in {file.parent} has more than 8 bits a channel (Pillow's mode {mode}): convert it"
        )
    return mode, shape


def _pixels(file: Path, mode: str, side: int) -> NDArray[np.uint8]:
    """The image's pixels, of shape (C, side, side)."""
    with _image(file) as image:
        # A palette may hold transparent colours, which only this step understands.
        plain = (image.convert("RGBA") if image.mode in ("P", "PA") else image).convert(mode)
        if plain.size != (side, side):
            plain = ImageOps.fit(plain, (side, side), Image.Resampling.BILINEAR)
    return np.asarray(plain).reshape(side, side, -1).transpose(2, 0, 1)


def _common_side(files: Sequence[Path], shapes: Sequence[tuple[int, int]]) -> int:
    width, height = shapes[0]
    for file, (other_width, other_height) in zip(files, shapes, strict=True):
        if (other_width, other_height) != (width, height):
            raise DataError(
                f"size must be given, since the images differ: {files[0]} has {width}×{height} pixels, "
                f"{file} has {other_width}×{other_height}"
            )
    if width != height:
        raise DataError(f"size must be given, since the images aren't square: {files[0]} has {width}×{height} pixels")
    return width


DATA.add(
    DataSource(
        "folder", (), "Your own: FOLDER/CLASS/*.png, or FOLDER/train/CLASS and FOLDER/test/CLASS", load, _where, load
    )
)
