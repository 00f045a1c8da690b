"""Data sets that are published as files: looked for, downloaded by torchvision where one is missing, and read."""

import http.client
import os
import shutil
import socket
import sys
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.exceptions import VisibleDeprecationWarning

from dropover.lab.data import Data, DataError, DataSource

# Seconds without an answer after which there is no network: torchvision would wait for as long as the system does.
_PATIENCE = 20


def root_of(folder: Path | None) -> Path:
    """The data folder: the one given, else `$DROPOVER_DATA`, else `~/.cache/dropover`."""
    return Path(folder or os.environ.get("DROPOVER_DATA") or "~/.cache/dropover").expanduser()


@dataclass(frozen=True)
class PublishedSet(ABC):
    """A data set of files that torchvision can download; subclasses know where it keeps them and how to read them."""

    name: str
    torchvision: str  # its class in `torchvision.datasets`
    files: tuple[str, ...]  # their paths below the place that holds them

    hint = ""  # what to do about missing files, where more can be said than for every set

    @abstractmethod
    def read(self, place: Path) -> Data:
        """The images of a place that holds all files; `DataError` for a corrupt one."""

    @abstractmethod
    def address(self) -> str:
        """What is downloaded from."""

    def download(self, folder: Path) -> None:
        """Download the set into a folder."""
        self.kind(folder, download=True)

    def places(self, folder: Path | None) -> list[Path]:
        """Where the files may be."""
        root = root_of(folder)
        return [root, root / self.name]

    def folders(self, folder: Path | None) -> list[Path]:
        """The places as an error names them, the first of which is downloaded into."""
        return self.places(folder)

    def missing(self, place: Path) -> list[str]:
        """The files that a place lacks."""
        return [file for file in self.files if not (place / file).is_file()]

    def unpack(self, _folder: Path | None) -> Path | None:
        """The place that holds all files after an archive of them was unpacked; None if there is no such archive."""
        return None

    def where(self, folder: Path | None = None) -> Path | None:
        """The first place that holds all files, or None. An archive that is still packed doesn't count."""
        return next((place for place in self.places(folder) if not self.missing(place)), None)

    def load(self, folder: Path | None = None) -> Data:
        """The training and test images.

        Args:
            folder: Where the files are: in it, in its subfolder of the set's name, or in torchvision's layout. None
                looks in the data folder (`$DROPOVER_DATA` or `~/.cache/dropover`) and where the system keeps them.

        Raises:
            DataError: a file is missing and can't be downloaded, or is corrupt.
        """
        return self.read(self.where(folder) or self.unpack(folder) or self._fetch(folder))

    def entry(self, summary: str, *aliases: str) -> DataSource:
        """What the registry lists."""
        return DataSource(self.name, aliases, summary, self.load, self.where)

    @property
    def kind(self) -> Any:
        """Torchvision's class, imported when it is needed: that takes two seconds, which other images needn't wait."""
        from torchvision import datasets

        return getattr(datasets, self.torchvision)

    def _fetch(self, folder: Path | None) -> Path:
        """Download the set, so that its folder afterwards holds either all of its files or what it held before."""
        folders = self.folders(folder)
        root = folders[0]
        # Where some of the files are there, the one that is named is the one that is missing.
        file = min(map(self.missing, self.places(folder)), key=len)[0]
        sys.stderr.write(f"{self.name}: downloading from {self.address()} to {root}\n")
        try:
            root.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as part, _limited_patience():
                self.download(Path(part))
                for path in [path for path in Path(part).rglob("*") if path.is_file()]:
                    wanted = root / path.relative_to(part)
                    wanted.parent.mkdir(parents=True, exist_ok=True)
                    path.replace(wanted)
        # Torchvision raises RuntimeError for a wrong checksum, and where all of several addresses failed.
        except (OSError, EOFError, RuntimeError, http.client.HTTPException, shutil.ReadError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DataError(
                f"{self.name} has no file {file} in {', '.join(map(str, folders))}, and the download failed "
                f"({reason}): {self.hint}set data.folder or $DROPOVER_DATA to where the files are"
            ) from None
        return self.where(folder) or root


class CheckedSet(PublishedSet):
    """A published set that torchvision reads only if its files are the published ones, byte by byte."""

    @abstractmethod
    def checksums(self) -> Mapping[str, str]:
        """Every file's published MD5."""

    @abstractmethod
    def read_by_torchvision(self, place: Path) -> Data:
        """The images; raises what torchvision raises."""

    def read(self, place: Path) -> Data:
        """The images of a place that holds all files; `DataError` names the damaged one."""
        with warnings.catch_warnings():
            # NumPy 2.4.0 to 2.4.4 warn of how the NumPy of 2009 wrote its types into CIFAR's files.
            warnings.simplefilter("ignore", VisibleDeprecationWarning)
            try:
                return self.read_by_torchvision(place)
            except (OSError, RuntimeError):
                for file, checksum in self.checksums().items():
                    check_md5(place / file, checksum)
                raise


def check_md5(path: Path, checksum: str) -> None:
    """Raise `DataError` for a file that is not the published one."""
    from torchvision.datasets.utils import check_integrity

    try:
        whole = check_integrity(path, checksum)
    except OSError as error:
        raise DataError(f"{path.name} in {path.parent} can't be read ({error.strerror})") from None
    if not whole:
        raise DataError(
            f"{path.name} in {path.parent} is damaged, its MD5 is not the published {checksum}: "
            "get the file again, or delete it and the next run downloads it"
        )


@contextmanager
def _limited_patience() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
