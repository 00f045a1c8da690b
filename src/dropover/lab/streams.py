"""Random streams with names: whatever draws random numbers says which stream it draws from.

A stream is a pair of a study's seed and a name. Two trials of one seed that differ only in their arm read the same
"weights", "batches", "augmentation", noise and attack streams, so what differs between them is the regularizer and
nothing else.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

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


def rank_stream(rank: int, step: int) -> str:
    """The stream that a trial's layers draw from on one of its devices in one step of the training."""
    return f"{REGULARIZER} rank {rank} step {step}"


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
    with random_states_kept([] if device is None else [device]):
        turn(seed, name, device)
        yield


def turn(seed: int, name: str, device: torch.device | None = None) -> None:
    """Have torch's default generators read the stream `name` from here on: the CPU's, and that of a device in use."""
    # torch.manual_seed would reseed every accelerator as well.
    torch.default_generator.manual_seed(stream_seed(seed, name))
    if device is not None and device.type != "cpu":
        module = torch.get_device_module(device)
        generators = getattr(module, "default_generators", None)  # MPS has one device, and no such tuple
        (generators[device.index or 0] if generators else module).manual_seed(stream_seed(seed, name))


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


def random_states(device: torch.device | None = None) -> dict[str, Any]:
    """Where torch's, numpy's and Python's own generators are in their streams, and that of a device in use.

    Tensors, numbers and texts.
    """
    numpy: Any = np.random.get_state()  # noqa: NPY002
    kind, keys, *rest = numpy
    states = {"torch": torch.get_rng_state(), "numpy": (kind, keys.tolist(), *rest), "python": random.getstate()}
    if device is not None and device.type != "cpu":
        states["device"] = torch.get_device_module(device).get_rng_state(*_index(device))
    return states


def go_on(states: Mapping[str, Any], device: torch.device | None = None) -> None:
    """Have the generators draw from here on what they would have drawn when `random_states` was called."""
    torch.set_rng_state(states["torch"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    random.setstate(states["python"])
    if device is not None and device.type != "cpu":
        torch.get_device_module(device).set_rng_state(states["device"], *_index(device))


def _index(device: torch.device) -> list[int]:
    """How a kind of device is told which of its devices is meant; MPS has one, and isn't."""
    return [] if device.type == "mps" else [device.index or 0]
