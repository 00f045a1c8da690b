"""What CIFAR-10 and CIFAR-100 share: batches of pickled arrays, packed into one archive."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dropover.lab.data import Data
from dropover.lab.data.parts.checked_set import CheckedSet


@dataclass(frozen=True)
class Cifar:
    """One of the two.

    Attributes:
        name: The data set's name.
        torchvision: Its class in `torchvision.datasets`.
        folder: The folder that the archive unpacks to.
        files: The files in it.
    """

    name: str
    torchvision: str
    folder: str
    files: tuple[str, ...]

    def as_set(self) -> CheckedSet:
        """The files, where they are and how they are read."""
        return CheckedSet(
            self.name,
            tuple(f"{self.folder}/{file}" for file in self.files),
            self._checksums,
            self._read,
            lambda folder: self._kind()(folder, download=True),
            lambda: str(self._kind().url),
            lambda: (self._kind().filename, self._kind().tgz_md5),
        )

    def _kind(self) -> Any:
        # Imported here: it takes two seconds, which a trial on other images needn't wait for.
        from torchvision import datasets

        return getattr(datasets, self.torchvision)

    def _checksums(self) -> Mapping[str, str]:
        kind = self._kind()
        pairs = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
        return {f"{self.folder}/{file}": checksum for file, checksum in pairs}

    def _read(self, place: Path) -> Data:
        train, test = self._kind()(place, train=True), self._kind()(place, train=False)
        return Data(_images(train), _labels(train), _images(test), _labels(test), tuple(train.classes))


def _images(part: Any) -> Tensor:
    # Torchvision has turned the files' channels-first arrays for PIL; this turns them back without a copy.
    return torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous()


def _labels(part: Any) -> Tensor:
    return torch.tensor(part.targets, dtype=torch.int64)
