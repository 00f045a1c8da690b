"""Work that several processes do together, each on a device of its own, which Lightning Fabric launches and joins.

The process that asks for it is none of them: it hears what they say, and outlives whatever ends one of them.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, cast

import torch
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

from dropover.lab.blame import ForeignError, one_line, place_of
from dropover.lab.devices import quiet
from dropover.lab.process import end_with_the_parent, settle

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Work = Callable[["Fabric", Callable[[Any], None]], None]
"""What each process does: on `Fabric.device`, and with a function to say something to the one that asked."""

_READ_BY_FABRIC = (
    "GROUP_RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "STANDALONE_PORT", "WORLD_SIZE"
)  # fmt: skip
_LOOPBACKS = ("lo", "lo0")
_CRASHES = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV")


class LostError(RuntimeError):
    """Processes that work together were ended, or can't begin, by what happened around them."""


class _ThereError(Exception):
    """The traceback of an error that was raised in another process: the cause of the one that is raised here."""


@dataclass(frozen=True)
class _Failure:
    """Why a process ended: of itself, or because it was `severed` from another one, which has a reason of its own."""

    rank: int
    time: float
    error: BaseException
    traceback: str
    severed: bool


def together(devices: list[torch.device], work: Work, hear: Callable[[Any], object]) -> None:
    """Do work in a process for each of the devices, connected by `torch.distributed`; none is left afterwards.

    They compute as workers do, end with this process, however that ends, and leave Ctrl-C to it.

    Args:
        devices: All of one kind; several may be the CPU.
        work: What each process does. It can be pickled.
        hear: Called with what they say, in another thread of this process. What it raises ends the work.

    Raises:
        LostError: a process was killed, or none could be launched.
        RuntimeError: one crashed.
        ForeignError: code of the user's raised something.
        Exception: what else one of them raised first, or `hear`.
    """
    from dropover.lab.training.fabric import fabric_across

    ears, mouths = zip(*(multiprocessing.Pipe(duplex=False) for _ in devices), strict=True)
    hearing = _Hearing(list(ears), hear)
    hearing.start()
    died: ProcessExitedException | None = None
    try:
        with _free_to_launch(), quiet():
            fabric_across(devices).launch(partial(_part, work=work, mouths=mouths))
    except ProcessExitedException as error:
        died = error
    except ProcessRaisedException as error:  # before it came to our own code, which raises none
        raise LostError(f"the processes can't be launched: {error.msg.strip().splitlines()[-1]}") from error
    finally:
        for mouth in mouths:
            mouth.close()
        hearing.join()
    if hearing.error is not None:
        raise hearing.error
    if died is not None:
        raise _reason(died, hearing.failures)


def _reason(died: ProcessExitedException, failures: list[_Failure]) -> BaseException:
    """Why processes died that died together: the first reason that isn't the end of another one."""
    own = [failure for failure in failures if not failure.severed]
    if own:
        first = min(own, key=lambda failure: failure.time)
        first.error.__cause__ = _ThereError(f"in the process of rank {first.rank}:\n{first.traceback}")
        return first.error
    if failures and died.signal_name is None:
        return LostError(f"a process of the trial was lost ({one_line(failures[0].error)})")
    line = f"the trial's process of rank {died.error_index} died ({died.signal_name or f'exit code {died.exit_code}'})"
    from_outside = died.signal_name is not None and died.signal_name not in _CRASHES
    return LostError(line) if from_outside else RuntimeError(line)


class _Hearing(threading.Thread):
    """Hears what the processes say, until the last of them is gone.

    Attributes:
        failures: Why processes ended.
        error: What the listener raised. From then on nobody is heard, which ends them.
    """

    def __init__(self, ears: list[Connection], hear: Callable[[Any], object]) -> None:
        super().__init__(daemon=True)
        self.failures: list[_Failure] = []
        self.error: BaseException | None = None
        self._ears, self._hear = ears, hear

    def run(self) -> None:
        """Until every pipe is closed at its other end."""
        try:
            while self._ears:
                for ear in cast("list[Connection]", wait(self._ears)):
                    self._hear_from(ear)
        except BaseException as error:
            self.error = error
        finally:
            for ear in self._ears:
                ear.close()

    def _hear_from(self, ear: Connection) -> None:
        try:
            message = ear.recv()
        except (EOFError, ConnectionResetError):
            self._ears.remove(ear)
            ear.close()
            return
        if isinstance(message, _Failure):
            self.failures.append(message)
        else:
            self._hear(message)


def _part(fabric: "Fabric", work: Work, mouths: tuple[Connection, ...]) -> None:
    """What each of the processes does."""
    end_with_the_parent()
    # In a terminal it is sent to all processes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    mouth = mouths[fabric.global_rank]
    for other in mouths:
        if other is not mouth:
            other.close()
    settle()
    try:
        work(fabric, mouth.send)
    except BaseException as error:
        now, there = time.monotonic(), traceback.format_exc()
        with contextlib.suppress(OSError):
            portable = _portable(error, fabric.global_rank)
            mouth.send(_Failure(fabric.global_rank, now, portable, there, _is_severed(error)))
        sys.exit(1)
    torch.distributed.destroy_process_group()


def _is_severed(error: BaseException) -> bool:
    """Whether an error is that another process can't be reached; Gloo's have no class of their own."""
    return isinstance(error, torch.distributed.DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error).lower()
    )


def _portable(error: BaseException, rank: int) -> BaseException:
    """The error as another process can raise it: without its traceback, so that one of users' code tells its line."""
    if place_of(error) is not None:
        return ForeignError(f"rank {rank}: {one_line(error)}")
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    except Exception:
        return RuntimeError(one_line(error))
    return error


@contextlib.contextmanager
def _free_to_launch() -> Iterator[None]:
    """Let this process have children, on this machine alone and at a free port, and put all back afterwards.

    A worker is a daemon to its parent, which it ends with, and daemons may have no children unless they say so.
    """
    here, before = multiprocessing.current_process(), dict(os.environ)
    was_daemon, here.daemon = here.daemon, False
    for name in _READ_BY_FABRIC:
        os.environ.pop(name, None)
    # Gloo would look up the machine's name, for which there may be no network.
    for name in _LOOPBACKS:
        if name in _interfaces():
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        here.daemon = was_daemon


def _interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex()] if hasattr(socket, "if_nameindex") else []
