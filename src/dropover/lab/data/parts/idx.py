"""Reader of MNIST's idx format: a big-endian header, then unsigned bytes."""

import gzip
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from dropover.lab.data import DataError


def read_idx(path: Path, dimensions: int) -> Tensor:
    """The uint8 array in an idx file, packed (`.gz`) or not.

    Args:
        path: The file.
        dimensions: How many dimensions the array must have: 3 for images, 1 for labels.

    Raises:
        DataError: the file can't be read or is not a whole idx file of that many dimensions.
    """
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
