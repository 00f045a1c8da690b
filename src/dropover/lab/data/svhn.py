"""SVHN (Netzer et al. 2011): 99,289 house numbers' digits from street photographs, the cropped ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dropover.lab.data import DATA, Data, DataSource
from dropover.lab.data.parts.checked_set import CheckedSet

PARTS = ("train", "test")


def _kind() -> Any:
    # Imported here: it takes two seconds, which a trial on other images needn't wait for.
    from torchvision.datasets import SVHN

    return SVHN


def _checksums() -> Mapping[str, str]:
    listed = _kind().split_list
    return {listed[part][1]: listed[part][2] for part in PARTS}


def _download(folder: Path) -> None:
    for part in PARTS:
        _kind()(folder, part, download=True)


def _read(place: Path) -> Data:
    train, test = (_kind()(place, part) for part in PARTS)
    return Data(_images(train), _labels(train), _images(test), _labels(test), tuple("0123456789"))


def _images(part: Any) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(part.data))


def _labels(part: Any) -> Tensor:
    return torch.from_numpy(part.labels)


SVHN = CheckedSet(
    "svhn",
    ("train_32x32.mat", "test_32x32.mat"),
    _checksums,
    _read,
    _download,
    lambda: str(_kind().split_list["train"][0].rpartition("/")[0]),
)

DATA.add(
    DataSource(
        "svhn", (), "Digits of house numbers, 32×32 colour: 73,257 to train, 26,032 to test", SVHN.load, SVHN.where
    )
)
