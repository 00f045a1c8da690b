"""The circumstances of a run: versions, platform, processor."""

import functools
import os
import platform
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

PACKAGES = ("dropover", "torch", "torchvision", "numpy")
"""Whose versions are stated with results."""

DECIDING = ("torch", "torchvision", "numba")
"""Whose versions can change a result: what trains and builds networks, and numba, whose kernels may sum in another
order. Those that only read images are not among them, since images count by content."""


def usable_cores() -> int:
    """Cores this process may use, which in a container is often fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def versions() -> dict[str, str]:
    """Version of Python and of the main packages, to be stated with results."""
    return {"python": platform.python_version(), **{package: _version(package) for package in PACKAGES}}


def deciding_versions(imported: Iterable[str]) -> dict[str, str]:
    """The versions that can change a result: of Python (3.11, say), our own packages, and further ones imported."""
    deciding = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    deciding |= {package: _version(package) for package in DECIDING}
    if os.environ.get("NUMBA_DISABLE_JIT", "0") != "0":
        deciding["numba"] = "turned off"
    return deciding | {package: _version(package) for name in imported for package in _distributions(name)}


def machine() -> dict[str, str | int]:
    """Platform, processor and cores."""
    return {"platform": platform.platform(terse=True), "cpu": _processor(), "cores": usable_cores()}


@functools.cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


@functools.cache
def _distributions(name: str) -> tuple[str, ...]:
    """The packages that bring the module `name`, mostly one of the same name."""
    try:
        return (metadata.metadata(name)["Name"].lower(),)
    except metadata.PackageNotFoundError:
        # Slow, since the files of all packages are gone through.
        return tuple(sorted({package.lower() for package in metadata.packages_distributions().get(name, [])}))


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8", errors="replace").splitlines() if listing.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine() or "unknown"
