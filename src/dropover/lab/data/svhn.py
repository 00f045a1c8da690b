"""SVHN (Netzer et al. 2011): 99,289 house numbers' digits from street photographs, the cropped ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dropover.lab.data import DATA, Data
from dropover.lab.data.parts.published import CheckedSet

PARTS = ("train", "test")


class Svhn(CheckedSet):
    """Two files of MATLAB's, which are published one by one."""

    def address(self) -> str:
        """The folder of both."""
        return str(self.kind.split_list["train"][0].rpartition("/")[0])

    def checksums(self) -> Mapping[str, str]:
        """Every file's published MD5."""
        published = self.kind.split_list
        return {published[part][1]: published[part][2] for part in PARTS}

    def download(self, folder: Path) -> None:
        """Download both files."""
        for part in PARTS:
            self.kind(folder, part, download=True)

    def read_by_torchvision(self, place: Path) -> Data:
        """The images; raises what torchvision raises."""
        train, test = (self.kind(place, part) for part in PARTS)
        return Data(_images(train), _labels(train), _images(test), _labels(test), tuple("0123456789"))


def _images(part: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(part.data))


def _labels(part: Any) -> Tensor:
    return torch.from_numpy(part.labels)


DATA.add(
    Svhn("svhn", "SVHN", ("train_32x32.mat", "test_32x32.mat")).entry(
        "Digits of house numbers, 32×32 colour: 73,257 to train, 26,032 to test"
    )
)
