"""What CIFAR and SVHN share: files that torchvision downloads, checks by their MD5, and reads."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from numpy.exceptions import VisibleDeprecationWarning

from dropover.lab.data import Data, DataError
from dropover.lab.data.parts.files import fetch, root_of


@dataclass(frozen=True)
class CheckedSet:
    """A data set whose files are read only if they are the published ones, byte by byte.

    Attributes:
        name: The data set's name.
        files: Its files' paths below the data folder.
        checksums: Every file's published MD5.
        read: Reads the set from a folder that holds all files; raises what torchvision raises.
        download: Downloads the set into a folder.
        source: The address that is downloaded from.
        archive: The file that is published, where it isn't `files` themselves, with its MD5.
    """

    name: str
    files: tuple[str, ...]
    checksums: Callable[[], Mapping[str, str]]
    read: Callable[[Path], Data]
    download: Callable[[Path], object]
    source: Callable[[], str]
    archive: Callable[[], tuple[str, str]] | None = None

    def where(self, folder: Path | None = None) -> Path | None:
        """The first place that holds all files, or None. An archive that is still packed doesn't count."""
        return next((place for place in self._places(folder) if not self._missing(place)), None)

    def load(self, folder: Path | None = None) -> Data:
        """The training and test images.

        Args:
            folder: Where the files are, in torchvision's layout: in it or in its subfolder of the set's name. None
                looks in the data folder (`$DROPOVER_DATA` or `~/.cache/dropover`).

        Raises:
            DataError: a file is missing and can't be downloaded, or is corrupt.
        """
        place = self.where(folder) or self._unpacked(folder) or self._fetched(folder)
        with warnings.catch_warnings():
            # NumPy 2.4.0 to 2.4.4 warn of how the NumPy of 2009 wrote its types into CIFAR's files.
            warnings.simplefilter("ignore", VisibleDeprecationWarning)
            try:
                return self.read(place)
            except (OSError, RuntimeError):
                self._refuse_damaged(place)
                raise

    def _places(self, folder: Path | None) -> list[Path]:
        root = root_of(folder)
        return [root, root / self.name]

    def _missing(self, place: Path) -> list[str]:
        return [file for file in self.files if not (place / file).is_file()]

    def _unpacked(self, folder: Path | None) -> Path | None:
        """Unpack the archive if one of the places has it."""
        if self.archive is None:
            return None
        from torchvision.datasets.utils import extract_archive

        name, checksum = self.archive()
        place = next((place for place in self._places(folder) if (place / name).is_file()), None)
        if place is None:
            return None
        _refuse_wrong(place / name, checksum)
        try:
            extract_archive(str(place / name), str(place))
        except OSError as error:
            raise DataError(
                f"{name} in {place} can't be unpacked there ({error}): unpack it yourself and set data.folder"
            ) from None
        return place

    def _fetched(self, folder: Path | None) -> Path:
        places = self._places(folder)
        missing = min(map(self._missing, places), key=len)[0]
        remedy = "set data.folder or $DROPOVER_DATA to where the files are"
        return fetch(self.name, missing, places, self.source(), self.download, remedy)

    def _refuse_damaged(self, place: Path) -> None:
        for file, checksum in self.checksums().items():
            _refuse_wrong(place / file, checksum)


def _refuse_wrong(path: Path, checksum: str) -> None:
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
