"""A device that is none: what can't happen on a GPU fails here too, on a machine that has no GPU.

Its tensors hold tensors of the CPU and say that they are elsewhere. As on CUDA, an operation fails that mixes them with
tensors of the CPU, other than single numbers and indices, and so does one that draws on the device from a generator of
the CPU. The device has a default generator of its own.

Becoming a device can't be undone, so that this is for processes of their own; see `tests.on_device`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from lightning_fabric import Fabric
from lightning_fabric.accelerators.cpu import CPUAccelerator
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.single_device import SingleDeviceStrategy
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "standin"
ASIDE = {torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default}
"""What carries tensors from one device to another."""
INDEXING = {
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
}
"""What takes its indices from the CPU too."""


class MisplacedError(RuntimeError):
    """Tensors of two devices met."""


class Backend(backend_registration._DummyBackendModule):
    """What torch asks a kind of device for: its random state, and whether it knows mixed precision."""

    default_generators = (torch.Generator(),)

    def get_rng_state(self, device: object = 0) -> Tensor:
        return self.default_generators[0].get_state()

    def set_rng_state(self, state: Tensor, device: object = 0) -> None:
        self.default_generators[0].set_state(state)

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


class There(Tensor):
    """A tensor on the device."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "There":
        return Tensor._make_wrapper_subclass(
            cls, held.shape, dtype=held.dtype, device=torch.device(NAME, 0), strides=held.stride(),
            storage_offset=held.storage_offset(),
        )  # fmt: skip

    def __init__(self, held: Tensor) -> None:
        self.held = held

    __torch_function__ = torch._C._disabled_torch_function_impl

    def tolist(self) -> Any:
        return self.to("cpu").tolist()

    def numpy(self, **_: Any) -> Any:
        raise MisplacedError(f"numpy can't see a tensor on {NAME}")

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Everything(TorchDispatchMode):
    """Also what has no tensor of the device yet: what makes them."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _FromNumbers(TorchFunctionMode):
    """`torch.tensor` works below what sees operations."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.tensor and kwargs.get("device") is not None:
            return func(*args, **{**kwargs, "device": "cpu"}).to(kwargs["device"])
        return func(*args, **kwargs)


def register() -> None:
    """Make the device known to torch, for good; before any gradient is computed, or these find no place on it."""
    backend_registration._setup_privateuseone_for_python_backend(NAME, Backend())


@contextmanager
def stand_in() -> Iterator[torch.device]:
    """The device, in use."""

    # In inference mode operations come whole that are made of others, and make tensors that nothing here sees.
    def without_gradients(mode: bool = True) -> torch.set_grad_enabled:
        return torch.set_grad_enabled(not mode)

    with mock.patch.object(torch, "inference_mode", without_gradients), _Everything(), _FromNumbers():
        yield torch.device(NAME, 0)


def fabric() -> Fabric:
    """Fabric on the device."""

    class Anywhere(CPUAccelerator):
        def setup_device(self, device: torch.device) -> None:
            pass

    strategy = SingleDeviceStrategy(torch.device(NAME, 0), Anywhere())
    return Fabric(strategy=strategy, devices=1, plugins=[LightningEnvironment()])


def _run(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
    there = any(isinstance(each, There) for each in tensors)
    if there and func not in ASIDE:
        _check(func, args, kwargs)
    device = kwargs.get("device")
    if device is not None:
        there = torch.device(device).type == NAME
        kwargs = {**kwargs, "device": "cpu"}
    wrappers = {id(each.held): each for each in tensors if isinstance(each, There)}
    draws = there and torch.Tag.nondeterministic_seeded in func.tags
    if draws and any(isinstance(each, torch.Generator) for each in (*args, *kwargs.values())):
        raise MisplacedError(f"{func} draws on {NAME} from a generator of the CPU")
    with _default_generator() if draws else nullcontext():
        result = func(*tree_map(_held, args), **tree_map(_held, kwargs))

    def seen(value: Any) -> Any:
        if not isinstance(value, Tensor) or isinstance(value, There):
            return value
        return wrappers.get(id(value), There(value) if there else value)

    return tree_map(seen, result)


def _check(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Refuse tensors of the CPU beside those of the device, but for what CUDA takes."""
    arguments = func._schema.arguments
    given = {**{argument.name: value for argument, value in zip(arguments, args, strict=False)}, **kwargs}
    for argument in arguments:
        value = given.get(argument.name)
        written = argument.alias_info is not None and argument.alias_info.is_write
        number = isinstance(value, Tensor) and value.ndim == 0 and not written
        if number or (func in INDEXING and argument.name == "indices"):
            continue
        for each in tree_leaves(value):
            if isinstance(each, Tensor) and not isinstance(each, There):
                what = f"{argument.name} of shape {tuple(each.shape)} on the CPU"
                raise MisplacedError(f"{func} got {what} beside tensors on {NAME}")


def _held(value: Any) -> Any:
    return value.held if isinstance(value, There) else value


@contextmanager
def _default_generator() -> Iterator[None]:
    """Have the CPU's default generator stand in for the device's."""
    mine, before = Backend.default_generators[0], torch.default_generator.get_state()
    torch.default_generator.set_state(mine.get_state())
    try:
        yield
    finally:
        mine.set_state(torch.default_generator.get_state())
        torch.default_generator.set_state(before)
