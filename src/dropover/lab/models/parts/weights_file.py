"""Trained weights from a file of the user's into a model of the user's."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from dropover.lab.tensor_files import TensorFileError, read_tensors

_WRAPPERS = ("state_dict", "model_state_dict", "state", "model")
"""Keys under which training scripts, and this lab, keep a state among other things."""
_NAMED = 3


def load_weights(model: nn.Module, path: Path) -> None:
    """Fill a model from a file with a state_dict: torch's format, or safetensors by the file's ending.

    Args:
        model: Filled in place; it keeps its own weights where the file doesn't fit.
        path: Nothing that the file holds is run: tensors and plain containers only.

    Raises:
        ValueError: no such file, one that can't be read, or weights of another model; in one line.
    """
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    state = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    wanted = model.state_dict()
    differences = {
        "lacks": [key for key in wanted if key not in state],
        "also has": [key for key in state if key not in wanted],
    }
    parts = [f"{what} {_first(keys)}" for what, keys in differences.items() if keys]
    if parts:
        raise ValueError(f"{path}: is not of this model: it {' and '.join(parts)}")
    for key, tensor in state.items():
        if tensor.shape != wanted[key].shape:
            raise ValueError(
                f"{path}: is not of this model: {key!r} has the shape {tuple(tensor.shape)} and the model's has "
                f"{tuple(wanted[key].shape)}"
            )
    model.load_state_dict(state)


def _torch(path: Path) -> dict[str, Tensor]:
    try:
        content = read_tensors(path)
    except TensorFileError as error:
        if error.more:
            raise ValueError(
                f"{path}: {error}, and running what is in a file isn't safe: write it with "
                f"torch.save(model.state_dict(), ...)"
            ) from None
        raise ValueError(f"{path}: can't be read as a file of torch.save ({error})") from error
    while isinstance(content, Mapping):
        inner = [content[name] for name in _WRAPPERS if isinstance(content.get(name), Mapping)]
        if not inner:
            break
        content = inner[0]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"{path}: must hold a state_dict, tensors by name, got {type(content).__name__}")
    return dict(content)


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        import safetensors.torch
    except ImportError:
        raise ValueError(f"{path}: needs safetensors: pip install safetensors") from None
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"{path}: can't be read as safetensors ({_line(error)})") from error


def _first(keys: list[str]) -> str:
    names = ", ".join(map(repr, keys[:_NAMED]))
    return f"{names} and {len(keys) - _NAMED} more" if len(keys) > _NAMED else names


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
