"""A trial's file: JSON with a checksum, so that one that was cut or changed is never taken for what was written."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dropover.lab.digests import of_plain
from dropover.lab.records.files import DamagedError, write_text

Reader = Callable[[Path], Mapping[str, Any] | None]
"""`read_checked`, or one that reads no file twice."""


def write_checked(path: Path, content: Mapping[str, Any]) -> None:
    """Write content that JSON can hold, and its checksum; see `write`."""
    write_text(path, json.dumps({**content, "checksum": of_plain(content)}, indent=1))


def read_checked(path: Path) -> Mapping[str, Any] | None:
    """What was written; None where there is no file.

    Raises:
        DamagedError: the file is not what was written.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        raise DamagedError("can't be read") from None
    if not isinstance(content, dict) or content.pop("checksum", None) != of_plain(content):
        raise DamagedError("was changed since it was written")
    return content
