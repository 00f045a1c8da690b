"""Dropout and its successors for any PyTorch model.

Names are loaded on first use, so that the command line can answer `--help` without loading torch.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dropover._public import *  # noqa: F403

    __version__: str


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("dropover")
    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module 'dropover' has no attribute {name!r}")
    if importlib.util.find_spec(f"dropover.{name}") is not None:
        return importlib.import_module(f"dropover.{name}")
    public = importlib.import_module("dropover._public")
    names = ["__version__", *public.__all__]
    globals().update({each: getattr(public, each) for each in public.__all__}, __all__=names)
    if name not in globals():
        raise AttributeError(f"module 'dropover' has no attribute {name!r}: it has {', '.join(names)}")
    return globals()[name]


def __dir__() -> list[str]:
    return __getattr__("__all__")  # type: ignore[no-any-return]
