"""Digests of plain data and of tensors: equal content, equal digest, on every machine."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from dropover.lab.machine import usable_cores

_PIECE = 1 << 22  # bytes that a thread takes at a time


def of_plain(content: Any) -> str:
    """SHA-256 of what JSON can hold, in hexadecimal; the order of keys does not count."""
    return of_bytes(json.dumps(content, sort_keys=True).encode())


def of_bytes(content: bytes | memoryview) -> str:
    """SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors by name, in hexadecimal: their names, types, shapes and elements.

    Large ones are taken piece by piece, several at a time: a processor without instructions for it takes half a second
    for the images of CIFAR-10.
    """
    with ThreadPoolExecutor(usable_cores()) as threads:
        return of_plain(
            {
                name: [str(tensor.dtype), list(tensor.shape), list(threads.map(of_bytes, _pieces(tensor)))]
                for name, tensor in tensors.items()
            }
        )


def _pieces(tensor: Tensor) -> Iterator[memoryview]:
    # Seen as bytes, since NumPy does not know every type that torch has.
    content = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
    return (content[start : start + _PIECE] for start in range(0, len(content), _PIECE))
