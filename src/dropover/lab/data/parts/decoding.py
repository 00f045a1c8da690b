"""Image files become one tensor, decoded by several threads."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from dropover.lab.data import DataError
from dropover.lab.machine import usable_cores
from dropover.lab.waiting import shown

GREY = ("1", "L", "LA")
COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")


def decode_images(files: Sequence[Path], size: int | None) -> Tensor:
    """The images as uint8 of shape (N, C, H, W): one channel if all of them are grey, else three.

    Args:
        files: The images' files, at least one.
        size: Pixels a side that every image is scaled and centre-cropped to. Without it they must be square and of
            one size.

    Raises:
        DataError: a file is no image, has more than 8 bits a channel, or differs in size where no size is given.
    """
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
