"""Digests of plain data and of tensors: equal content, equal digest, on every machine."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def of_plain(content: Any) -> str:
    """SHA-256 of what JSON can hold, in hexadecimal; the order of keys does not count."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors by name, in hexadecimal: their names, types, shapes and elements, in the order given."""
    digest = hashlib.sha256()
    for name, tensor in tensors.items():
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        # Seen as bytes, since NumPy does not know every type that torch has.
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
