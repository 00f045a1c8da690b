"""What MNIST and the sets made in its likeness share: four files in the idx format, a header and unsigned bytes.

They are not read by torchvision, which reads unpacked files alone, checks neither their length nor their labels, and
takes two seconds to import in every process.
"""

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dropover.lab.data import Data, DataError
from dropover.lab.data.parts.published import PublishedSet, root_of

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@dataclass(frozen=True)
class IdxSet(PublishedSet):
    """A data set of four idx files, packed (`.gz`) or not."""

    files: tuple[str, ...] = FILES
    classes: tuple[str, ...] = tuple("0123456789")
    elsewhere: tuple[Path, ...] = ()  # folders to look in when a study names none, after the data folder
    hint: str = ""

    def address(self) -> str:
        """The first of torchvision's mirrors."""
        return str(self.kind.mirrors[0])

    def places(self, folder: Path | None) -> list[Path]:
        """Where the files may be."""
        # The sets' files have the same names: only a folder that was named for one set may hold them bare.
        root = root_of(folder)
        below = [root / self.name, root / self.torchvision / "raw"]
        return [root, *below] if folder is not None else [*below, *self.elsewhere]

    def folders(self, folder: Path | None) -> list[Path]:
        """The data folder, and what else is looked in where a study names none."""
        return [root_of(folder), *(self.elsewhere if folder is None else ())]

    def missing(self, place: Path) -> list[str]:
        """The files that a place has neither packed nor unpacked, by their packed names."""
        return [f"{file}.gz" for file in self.files if not _file(place, file).is_file()]

    def read(self, place: Path) -> Data:
        """The images of a place that holds all files; `DataError` for a corrupt one."""
        return Data(*self._part(place, *self.files[:2]), *self._part(place, *self.files[2:]), self.classes)

    def _part(self, place: Path, images_name: str, labels_name: str) -> tuple[Tensor, Tensor]:
        images_file, labels_file = _file(place, images_name), _file(place, labels_name)
        images, labels = read_idx(images_file, 3), read_idx(labels_file, 1)
        if len(images) != len(labels):
            raise DataError(
                f"{images_file.name} and {labels_file.name} in {place} don't belong together: "
                f"{len(images)} images, {len(labels)} labels: get the files again"
            )
        if int(labels.max()) >= len(self.classes):
            raise DataError(
                f"{labels_file.name} in {place} holds a class above {len(self.classes) - 1}: get the file again"
            )
        return images.unsqueeze(1), labels.long()


def read_idx(path: Path, dimensions: int) -> Tensor:
    """The uint8 array in an idx file of 3 dimensions (images) or 1 (labels); `DataError` if it isn't a whole one."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        magic, *shape = struct.unpack_from(f">{dimensions + 1}I", content)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise DataError(f"{path.name} in {path.parent} can't be read ({error}): get the file again") from None
    header = 4 * (dimensions + 1)
    # The third byte is the type (8: unsigned byte), the fourth the number of dimensions.
    if magic != 0x800 + dimensions:
        raise DataError(f"{path.name} in {path.parent} is not an idx file of {dimensions}-d bytes: get the file again")
    expected = torch.Size(shape).numel()
    if len(content) - header != expected or not expected:
        raise DataError(
            f"{path.name} in {path.parent} is cut off or damaged: "
            f"{len(content) - header} of {expected} bytes: get the file again"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header).reshape(shape)


def _file(place: Path, name: str) -> Path:
    unpacked = place / name
    return unpacked if unpacked.is_file() else place / f"{name}.gz"
