"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): 60,000 small photographs each, of 10 kinds of things and of a hundred."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dropover.lab.data import DATA, Data, DataError
from dropover.lab.data.parts.published import CheckedSet, check_md5


class Cifar(CheckedSet):
    """One of the two: batches of pickled arrays, packed into one archive, which unpacks to a folder."""

    def address(self) -> str:
        """The archive's."""
        return str(self.kind.url)

    def checksums(self) -> Mapping[str, str]:
        """Every file's published MD5."""
        kind = self.kind
        pairs = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
        return {f"{kind.base_folder}/{file}": checksum for file, checksum in pairs}

    def unpack(self, folder: Path | None) -> Path | None:
        """Unpack the archive if one of the places has it."""
        from torchvision.datasets.utils import extract_archive

        name = self.kind.filename
        place = next((place for place in self.places(folder) if (place / name).is_file()), None)
        if place is None:
            return None
        check_md5(place / name, self.kind.tgz_md5)
        try:
            extract_archive(str(place / name), str(place))
        except OSError as error:
            raise DataError(
                f"{name} in {place} can't be unpacked there ({error}): unpack it yourself and set data.folder"
            ) from None
        return place

    def read_by_torchvision(self, place: Path) -> Data:
        """The images; raises what torchvision raises."""
        train, test = self.kind(place, train=True), self.kind(place, train=False)
        return Data(_images(train), _labels(train), _images(test), _labels(test), tuple(train.classes))


def _images(part: Any) -> Tensor:
    # Torchvision has turned the files' channels-first arrays for PIL; this turns them back without a copy.
    return torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous()


def _labels(part: Any) -> Tensor:
    return torch.tensor(part.targets, dtype=torch.int64)


BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta")

DATA.add(
    Cifar("cifar10", "CIFAR10", tuple(f"cifar-10-batches-py/{file}" for file in BATCHES)).entry(
        "Animals and vehicles, 32×32 colour: 50,000 to train, 10,000 to test", "cifar-10"
    )
)
DATA.add(
    Cifar("cifar100", "CIFAR100", tuple(f"cifar-100-python/{file}" for file in ("train", "test", "meta"))).entry(
        "A hundred kinds of things, 32×32 colour: 50,000 to train, 10,000 to test", "cifar-100"
    )
)
