"""A connection to Ray: to a cluster that is there, or to one of our own on this machine; refusals in a line."""

import importlib
import logging
import math
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import dropover
from dropover.lab.blame import one_line
from dropover.lab.machine import usable_cores
from dropover.lab.records.sources import user_sources
from dropover.lab.running.engines import EngineError
from dropover.lab.running.stopping import Stop
from dropover.lab.user_code import is_user_code

RETRIES = 3
"""How often a trial is run again whose worker or node was lost."""
SILENCE = 20.0
"""Seconds that the head may be away, as when it is begun anew; Ray itself would end this process after 60."""
_ANSWER = 5.0
_EVERY = 2.0
_LOUDNESS = "RAY_BACKEND_LOG_LEVEL"
_OBJECTS = 200 << 20
"""Bytes of shared memory for a Ray of our own: trials send figures alone."""


class _RefusedError(Exception):
    """The head answers, and Ray can't connect."""


class Cluster:
    """The cluster that this process is connected to.

    Args:
        ray: The imported package.
        cpus: What a trial gets of it, and `gpus` too.
    """

    def __init__(self, ray: ModuleType, cpus: float, gpus: float) -> None:
        self.ray = ray
        self._cpus, self._gpus = cpus, gpus
        host, _, port = str(ray.get_runtime_context().gcs_address).rpartition(":")
        self._head = (host.strip("[]"), int(port))
        self._answered = self._looked = time.monotonic()
        self._room = self._count()

    @property
    def head(self) -> str:
        """Host and port of its head."""
        return f"{self._head[0]}:{self._head[1]}"

    @property
    def room(self) -> int:
        """How many trials it has room for, counted anew now and then: nodes come and go.

        Raises:
            EngineError: its head has been silent for too long.
        """
        now = time.monotonic()
        if now - self._looked >= _EVERY:
            self._looked = now
            if self.answers():
                self._room = self._count()
            elif now - self._answered > SILENCE:
                raise self.lost()
        return self._room

    def answers(self) -> bool:
        """Whether its head does."""
        try:
            socket.create_connection(self._head, _ANSWER).close()
        except OSError:
            return False
        self._answered = time.monotonic()
        return True

    def lost(self) -> EngineError:
        """What is said when it has gone."""
        return EngineError(
            f"Ray at {self.head} is gone: its head, or the node that this command runs on, was stopped or can't be "
            f"reached. Finished trials are kept: start the same command when the cluster is back"
        )

    def largest(self) -> str:
        """What its nodes have at most, in words."""
        nodes = self._nodes()
        cpus, gpus = (max((node.get(kind, 0.0) for node in nodes), default=0.0) for kind in ("CPU", "GPU"))
        return f"the most on a node are CPUs {cpus:g} and GPUs {gpus:g}"

    def _nodes(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self.ray.nodes() if node["Alive"]]

    def _count(self) -> int:
        wanted = [(kind, share) for kind, share in (("CPU", self._cpus), ("GPU", self._gpus)) if share]
        nodes = self._nodes()
        return sum(min(math.floor(node.get(kind, 0.0) / share + 1e-9) for kind, share in wanted) for node in nodes)


@contextmanager
def connected(
    address: str | None, cpus: float, gpus: float, jobs: int | None, user_code: Iterable[str]
) -> Iterator[Cluster]:
    """A connection that ends with the block; where the program has one already, that one, which stays.

    Args:
        address: Of a cluster's head, or "auto"; None to begin a Ray of our own on this machine.
        cpus: What a trial gets, and `gpus` too.
        gpus: See there.
        jobs: How many trials a Ray of our own should have room for.
        user_code: What of the user's the trials need, by name.

    Raises:
        EngineError: Ray isn't installed, nobody answers, or no node has what a trial needs.
    """
    ray = _imported(own=address is None)
    if address is not None and "://" in address:
        raise EngineError(f"address must be HOST:PORT of Ray's head, or auto, got {address!r}: no Ray Client")
    there = ray.is_initialized()
    with tempfile.TemporaryDirectory(prefix="dropover-", ignore_cleanup_errors=True) as staging:
        try:
            if not there:
                with _signals_kept(), _told(address), _silenced():
                    if address is None:
                        _begin(ray, max(usable_cores(), math.ceil((jobs or 0) * cpus)))
                    else:
                        _connect(ray, address, _sent(user_code, Path(staging)))
            cluster = Cluster(ray, cpus, gpus)
            if not cluster.room:
                raise EngineError(
                    f"no node of Ray's has what a trial gets, CPUs {cpus:g} and GPUs {gpus:g}: {cluster.largest()}"
                )
            yield cluster
        finally:
            if not there:
                _disconnect(ray)


def _imported(*, own: bool) -> ModuleType:
    """The package, silent: by itself it says on the screen that it has begun, and what can be set."""
    # By itself it runs what it killed for want of memory again without end; read when it is imported.
    os.environ.setdefault("RAY_task_oom_retries", str(RETRIES))
    if own:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray = importlib.import_module("ray")
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise EngineError('the engine ray needs Ray, which isn\'t installed: pip install "dropover[cluster]"') from None
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    return ray


def _begin(ray: ModuleType, cpus: int) -> None:
    ray.init(
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
        object_store_memory=_OBJECTS,
        _system_config={"worker_niceness": 0},  # as local workers have it; Ray's own come after all else
        **_quiet(),
    )


def _connect(ray: ModuleType, address: str, sent: Path | None) -> None:
    found = ray._private.services.canonicalize_bootstrap_address_or_die(address) if address == "auto" else address
    host, _, port = found.rpartition(":")
    if not host or not port.isdecimal():
        raise EngineError(f"address must be HOST:PORT of Ray's head, or auto, got {address!r}")
    # Ray itself would try for minutes, and knows the address of a cluster long after its end.
    socket.create_connection((host.strip("[]"), int(port)), _ANSWER).close()
    try:
        ray.init(address=found, runtime_env={} if sent is None else {"working_dir": str(sent)}, **_quiet())
    except ConnectionError as error:
        raise _RefusedError from error


def _quiet() -> dict[str, Any]:
    return {"log_to_driver": False, "configure_logging": False, "logging_level": logging.CRITICAL}


def _disconnect(ray: ModuleType) -> None:
    with _signals_kept():
        ray.shutdown()


@contextmanager
def _silenced() -> Iterator[None]:
    """Have Ray's C++ parts, which begin inside, write nothing on the screen when a cluster goes.

    How loud they are is a variable of the environment, and that they have read it they say on the screen.
    """
    unset = _LOUDNESS not in os.environ
    os.environ.setdefault(_LOUDNESS, "fatal")
    before = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        if unset:
            del os.environ[_LOUDNESS]


@contextmanager
def _told(address: str | None) -> Iterator[None]:
    """Turn what goes wrong with a connection into a line."""
    try:
        yield
    except EngineError:
        raise
    except _RefusedError:
        raise EngineError(
            f"Ray at {address} answers and lets nobody in: where `ray start` has said that token authentication is "
            f"enabled, this command needs RAY_AUTH_MODE=token in its environment too"
        ) from None
    except (ConnectionError, TimeoutError, socket.gaierror) as error:
        remedy = "`ray start --head` begins one and says its address; without an address this machine is used"
        raise EngineError(f"no Ray cluster answers at {address} ({one_line(error)}): {remedy}") from error
    except Exception as error:  # what Ray raises where a node doesn't begin in time is of no other class
        where = "on this machine" if address is None else f"at {address}"
        raise EngineError(f"Ray {where} can't be used: {one_line(error)}") from error


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Put the handler of SIGTERM back, which Ray replaces by one that ends the program."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as stop:
        raise Stop(signal.SIGTERM) from stop
    finally:
        signal.signal(signal.SIGTERM, before)


def _sent(user_code: Iterable[str], staging: Path) -> Path | None:
    """A folder of what nodes may lack: the files of the user's code, and this package where it isn't installed here.

    Files and not folders: beside a module there may lie images, environments and results of any size.
    """
    roots = [Path(each) for each in (os.curdir, *sys.path)]
    for name in filter(is_user_code, user_code):
        for relative in user_sources(name).files:
            source = next((root / relative for root in roots if (root / relative).is_file()), None)
            if source is not None:
                target = staging / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    package = Path(str(dropover.__file__)).parent
    if not {"site-packages", "dist-packages"} & {*package.parts}:
        shutil.copytree(package, staging / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    return staging if any(staging.iterdir()) else None
