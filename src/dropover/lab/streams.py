"""Random streams with names: whatever draws random numbers says which stream it draws from.

A stream is a pair of a study's seed and a name. Two trials of one seed that differ only in their arm read the same
"weights", "batches", "augmentation", noise and attack streams, so what differs between them is the regularizer and
nothing else.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

WEIGHTS = "weights"
BATCHES = "batches"
AUGMENTATION = "augmentation"
REGULARIZER = "regularizer"
INFERENCE = "inference"


def noise_stream(name: str, level: float) -> str:
    """The stream that one noise at one level draws from, the same for every arm."""
    return f"noise {name} {level}"


def attack_stream(label: str) -> str:
    """The stream that one attack draws its starting points from, the same for every arm."""
    return f"attack {label}"


def inference_stream(batch: int) -> str:
    """The stream that a model whose inference is random draws from on one batch of test images."""
    return f"{INFERENCE} {batch}"


def stream_seed(seed: int, name: str) -> int:
    """The 63-bit seed of the stream `name` of the trial seed `seed`: the same on every machine and in every version."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, name: str) -> torch.Generator:
    """A new CPU generator at the start of the stream `name` of the trial seed `seed`."""
    return torch.Generator().manual_seed(stream_seed(seed, name))


@contextmanager
def random_states_kept(devices: Iterable[torch.device] = ()) -> Iterator[None]:
    """Put the default generators of the CPU and of these devices back as they were, after an error too."""
    with ExitStack() as kept:
        for device in {device for device in devices if device.type not in ("cpu", "meta")}:
            kept.enter_context(torch.random.fork_rng([device.index or 0], device_type=device.type))
        kept.enter_context(torch.random.fork_rng([]))
        yield


@contextmanager
def seeded(seed: int, name: str, device: torch.device | None = None) -> Iterator[None]:
    """Have torch's default generators read the stream `name`: the CPU's, and that of a device where one is in use.

    They are put back as they were, after an error too. On another kind of device the stream has other numbers.
    """
    used = [] if device is None or device.type == "cpu" else [device]
    with random_states_kept(used):
        # torch.manual_seed would reseed every accelerator as well, which is not put back here.
        torch.default_generator.manual_seed(stream_seed(seed, name))
        for each in used:
            module = torch.get_device_module(each)
            generators = getattr(module, "default_generators", None)  # MPS has one device, and no such tuple
            (generators[each.index or 0] if generators else module).manual_seed(stream_seed(seed, name))
        yield


def begin(seed: int, name: str) -> None:
    """Have torch's, numpy's and Python's own generators read the stream `name` from here on."""
    number = stream_seed(seed, name)
    torch.manual_seed(number)
    np.random.seed(number % (1 << 32))  # noqa: NPY002  # the one that users' code draws from
    random.seed(number)


@contextmanager
def isolated() -> Iterator[None]:
    """Put the generators that `begin` turns back as they were, after an error too."""
    of_numpy, of_python = np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        np.random.set_state(of_numpy)  # noqa: NPY002
        random.setstate(of_python)
