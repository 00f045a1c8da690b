"""What MNIST and the sets made in its likeness share: four idx files, downloaded by torchvision."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dropover.lab.data import Data, DataError
from dropover.lab.data.parts.files import fetch, root_of
from dropover.lab.data.parts.idx import read_idx

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@dataclass(frozen=True)
class IdxSet:
    """A data set of four idx files, packed or not.

    They are read by `read_idx` and not by torchvision, which reads unpacked files alone, checks neither their length
    nor their labels, and takes two seconds to import in every process.

    Attributes:
        name: The data set's name.
        torchvision: Its class in `torchvision.datasets`, which is also the folder that torchvision keeps it in.
        classes: The classes' names.
        elsewhere: Folders to look in when a study names none, after the data folder.
        hint: What to do about missing files, where more can be said than for every set.
    """

    name: str
    torchvision: str
    classes: tuple[str, ...]
    elsewhere: tuple[Path, ...] = ()
    hint: str = ""

    def where(self, folder: Path | None = None) -> Path | None:
        """The first place that holds all four files, or None."""
        return next((place for place in self._places(folder) if not _missing(place)), None)

    def load(self, folder: Path | None = None) -> Data:
        """The training and test images.

        Args:
            folder: Where the files are: in it, in its subfolder of the set's name, or in torchvision's layout. None
                looks in the data folder (`$DROPOVER_DATA` or `~/.cache/dropover`), then `elsewhere`.

        Raises:
            DataError: a file is missing and can't be downloaded, or is corrupt.
        """
        place = self.where(folder) or self._fetched(folder)
        train_images, train_labels = self._part("train", place)
        test_images, test_labels = self._part("t10k", place)
        return Data(train_images, train_labels, test_images, test_labels, self.classes)

    def _places(self, folder: Path | None) -> list[Path]:
        root = root_of(folder)
        below = [root / self.name, root / self.torchvision / "raw"]
        # The sets' files have the same names: only a folder that was named for one set may hold them bare.
        return [root, *below] if folder is not None else [*below, *self.elsewhere]

    def _fetched(self, folder: Path | None) -> Path:
        from torchvision import datasets

        kind = getattr(datasets, self.torchvision)
        # Where some of the files are there, the one that is named is the one that is missing.
        missing = min(map(_missing, self._places(folder)), key=len)[0]
        looked = [root_of(folder), *([] if folder is not None else self.elsewhere)]
        remedy = f"{self.hint}set data.folder or $DROPOVER_DATA to where the files are"
        root = fetch(
            self.name, f"{missing}.gz", looked, kind.mirrors[0], lambda part: kind(part, download=True), remedy
        )
        return root / self.torchvision / "raw"

    def _part(self, prefix: str, place: Path) -> tuple[Tensor, Tensor]:
        images_file = _find(place, f"{prefix}-images-idx3-ubyte")
        labels_file = _find(place, f"{prefix}-labels-idx1-ubyte")
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


def _missing(place: Path) -> list[str]:
    return [file for file in FILES if not _find(place, file).is_file()]


def _find(place: Path, name: str) -> Path:
    unpacked = place / name
    return unpacked if unpacked.is_file() else place / f"{name}.gz"
