"""Where a trial is computed and how precisely: from a study's words to devices, and models that Fabric puts there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dropover.insertion.hooks import inserted_in
from dropover.lab.machine import usable_cores
from dropover.lab.study import Precision, names

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CPU = torch.device("cpu")
_TALKERS = (
    "lightning_fabric.utilities.rank_zero",
    "lightning_fabric.utilities.distributed",
    "torch.multiprocessing.spawn",
)


class DeviceError(ValueError):
    """A device or a precision that this machine doesn't have, in one line that begins with the key of the study."""


def slots(word: str) -> list[torch.device]:
    """The devices that a study's word means, one for each trial that is computed at a time; the CPU counts as one.

    "auto" takes all CUDA devices, where there is none MPS, and where there is none the CPU. "cuda" takes all of them.

    Raises:
        DeviceError: this machine has no such device, or the word is none.
    """
    kind, index = kind_of(word), word.partition(":")[2]
    count = _count(kind)
    if not count:
        there_are = ", ".join(each for each in ("cpu", "cuda", "mps") if _count(each))
        raise DeviceError(
            f"device: this machine has no {kind.upper()} device that torch {torch.__version__} can use; it has "
            f"{there_are}, and auto takes the fastest, got {word!r}"
        )
    if index and int(index) >= count:
        raise DeviceError(f"device: must be below cuda:{count}, as CUDA devices count from cuda:0, got {word!r}")
    if kind != "cuda":
        return [torch.device(kind)]
    return [torch.device(kind, number) for number in ([int(index)] if index else range(count))]


def groups(word: str, each: int) -> list[list[torch.device]]:
    """The devices of every trial that is computed at a time, where each takes so many: neighbours, from `slots` on.

    "cuda:2" begins with that one. On the CPU they are as many processes of one thread.

    Raises:
        DeviceError: as `slots`, or there are not so many.
    """
    first, *others = slots(word)
    if each == 1 or first.type == "cpu":
        return [[device] * each for device in (first, *others)]
    start = first.index or 0
    there_are = _count(first.type) - start
    if each > there_are:
        which = f"{first.type.upper()} device{'s' if there_are > 1 else ''}{f' from {first} on' if start else ''}"
        raise DeviceError(f"devices_per_trial: must be at most {there_are}, the {which} of this machine, got {each}")
    starts = range(start, start + there_are - each + 1, each) if ":" not in word else [start]
    return [[torch.device(first.type, number) for number in range(begin, begin + each)] for begin in starts]


def kind_of(word: str) -> str:
    """The kind of device that a word means: "cpu", "cuda" or "mps". Only for "auto" it is asked what this machine has.

    Raises:
        DeviceError: the word is none.
    """
    try:
        kind = names.device(word).partition(":")[0]
    except ValueError as error:
        raise DeviceError(f"device: {error}, got {word!r}") from None
    return next(each for each in ("cuda", "mps", "cpu") if _count(each)) if kind == "auto" else kind


def device_named(word: str) -> torch.device:
    """The device that a study's word means for one trial, the first of `slots`; raises as it does."""
    return slots(word)[0]


def check(word: str, precision: Precision, each: int = 1) -> None:
    """Refuse what can't be had here, by trials that take `each` as many devices.

    Raises:
        DeviceError: no such device, too few of them, or one that doesn't know the precision.
    """
    for device in (device for group in groups(word, each) for device in group):
        if precision == "bf16" and not _knows_bf16(device):
            raise DeviceError(f"precision: {device} doesn't know bf16: it must be fp32 there, got {precision!r}")


def jobs_on(word: str, each: int = 1) -> int:
    """How many trials that take `each` as many devices run at a time unless told otherwise; a core is one of the CPU's.

    It is at least one, and raises as `groups` does.
    """
    trials = groups(word, each)
    return max(1, usable_cores() // each) if trials[0][0] == CPU else len(trials)


def circumstances(word: str, precision: Precision) -> dict[str, str]:
    """What is stated with results about where they were computed; nothing where it is the CPU in fp32."""
    device = device_named(word)
    if device == CPU and precision == "fp32":
        return {}
    if device.type != "cuda":
        return {"device": device.type, "precision": precision}
    return {"device": f"cuda, {torch.cuda.get_device_name(device)}", "precision": f"{precision}, TF32 off"}


def put(model: nn.Module, device: torch.device, precision: Precision) -> nn.Module:
    """Move a model to a device, with the layers inserted in it, and have it called in a precision from then on.

    It takes images from any device, float32 as ever, and gives its logits as float32 on its own.

    Args:
        model: Maps images to logits. It is changed in place and keeps its weights in float32 and their names.
        device: One of `slots`.
        precision: "bf16" is automatic mixed precision. On CUDA TF32 is turned off, since "fp32" means float32.

    Returns:
        The model.
    """
    if device == CPU and precision == "fp32":
        # Fabric would change nothing, and where torchmetrics is installed its import takes two seconds of each worker.
        return model
    with quiet():
        fabric = fabric_on(device, precision)
        for part in (model, *(hook.layer for hook in inserted_in(model))):
            fabric.to_device(part)
    call = _Call(fabric)
    model.register_forward_pre_hook(call.begin, prepend=True)
    model.register_forward_hook(call.end, always_call=True)
    return model


def fabric_on(device: torch.device, precision: Precision) -> Fabric:
    """What moves models to a device and calls them in a precision."""
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    which = 1 if device.index is None else [device.index]
    # Where it is named, Fabric doesn't look for a cluster, of which it would tell.
    return Fabric(
        accelerator=device.type,
        devices=which,
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        plugins=[LightningEnvironment()],
    )


def device_of(model: nn.Module) -> torch.device:
    """Where a model is, by its first parameter; one without parameters is taken to be on the CPU."""
    return next((parameter.device for parameter in model.parameters()), CPU)


class _Call:
    """Both ends of a model's call: images are moved to it, what it computes is in its precision, logits are float32.

    An object with hooks rather than a wrapper: the model's modules keep their paths, and it can be copied and pickled.
    """

    def __init__(self, fabric: Fabric) -> None:
        self._device, self._precision = fabric.device, fabric.strategy.precision
        self._begun: list[AbstractContextManager[Any]] = []

    def begin(self, _model: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self._begun.append(self._precision.forward_context())
        self._begun[-1].__enter__()
        return tuple(each.to(self._device) if isinstance(each, Tensor) else each for each in args)

    def end(self, _model: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
        self._begun.pop().__exit__(None, None, None)
        return self._precision.convert_output(output)


def _count(kind: str) -> int:
    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0
    return int(kind == "cpu" or torch.backends.mps.is_available())


def _knows_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        # Ampere or later, as `torch.cuda.is_bf16_supported` asks too, but of the device that is current.
        return torch.version.hip is not None or torch.cuda.get_device_properties(device).major >= 8
    return device.type == "cpu" or torch.backends.mps.is_macos_or_newer(14, 0)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Fabric from praising what was chosen here anyway, and TF32, which was turned off on purpose.

    Nor is it told which processes begin and are ended: what trials print is a file that users are sent to.
    """
    talkers = [logging.getLogger(name) for name in _TALKERS]
    before = [talker.level for talker in talkers]
    for talker in talkers:
        talker.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for talker, level in zip(talkers, before, strict=True):
            talker.setLevel(level)
