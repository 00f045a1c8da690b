"""One module of a model exchanged for another, at all its places."""

from collections.abc import Iterator

from torch import Tensor, nn

from dropover.insertion.changes import Change, Swapped
from dropover.insertion.channels import UNKNOWN, Channels, batch_first_at
from dropover.insertion.hooks import shown
from dropover.insertion.layers import acts_at_inference
from dropover.insertion.matching import Positions
from dropover.insertion.settling import looks_at_samples, question, settle


def fitted(known: Positions, old: nn.Module, new: nn.Module) -> nn.Module:
    """`new` with the training flag and on the device of `old`, or of what is around an `old` without tensors."""
    new.train(old.training)
    by_name = {name: module for module, names in known.items() for name in names}
    segments = known[old][0].split(".")
    around = [by_name[".".join(segments[:count])] for count in range(len(segments), -1, -1)]
    for module in (old, *around):
        tensor = next(_tensors(module), None)
        if tensor is not None:
            return new.to(tensor.device)
    return new


def check_swaps(known: Positions, swaps: dict[nn.Module, nn.Module]) -> None:
    """Raise `ValueError` for a swap of the root, inside another, without effect, or that changes the state_dict."""
    by_name = {name: module for module, names in known.items() for name in names}
    model = by_name[""]
    for old, new in swaps.items():
        for name in known[old]:
            if not name:
                raise ValueError("the root can't be replaced; insert(model, {'': layer}) puts a layer after it")
            for other in swaps:
                outer = next((outer for outer in known[other] if name.startswith(outer + ".")), None)
                if outer is not None:
                    raise ValueError(f"{name!r} lies within {outer!r}, which would be replaced too; name one of them")
            parents = [model, *(by_name[name[:end]] for end, sign in enumerate(name) if sign == ".")]
            if acts_at_inference(new) and any(isinstance(each, nn.TransformerEncoderLayer) for each in parents):
                raise ValueError(
                    f"{type(new).__name__} instead of {shown(name)} would have no effect at inference, where the fast "
                    f"path of TransformerEncoderLayer skips it; insert() before or after it turns that path off"
                )
        _check_state(known[old][0], old, new)


def settle_swap(known: Positions, old: nn.Module, new: nn.Module, told: Channels | None) -> Channels | None:
    """Tell a layer that comes instead of `old` the dimension of the channels, as `settle` does.

    Raises:
        ValueError: nothing certain is known of it, or samples are not dimension 0 there.
    """
    where = f"instead of {shown(known[old][0])} ({type(old).__name__})"
    if looks_at_samples(new) and batch_first_at(known, old) is False:
        raise ValueError(
            f"{type(new).__name__} {where}: the samples are dimension 1 there, since batch_first=False, and the layer "
            f"takes them from dimension 0; insert() it after {shown(known[old][0])}, where that is seen to"
        )
    # No hook stands by to see what passes, so that only what is certain will do.
    channels = settle(new, told if told is None or not told.sizes else None)
    if channels == UNKNOWN:
        raise ValueError(question(new, where))
    return channels


def swap(known: Positions, old: nn.Module, new: nn.Module) -> list[Change]:
    """Put `new` wherever `old` is; returns the changes made."""
    by_name = {name: module for module, names in known.items() for name in names}
    changes: list[Change] = []
    done = set()
    for name in known[old]:
        parent_name, _, attribute = name.rpartition(".")
        parent = by_name[parent_name]
        if (parent, attribute) not in done:
            done.add((parent, attribute))
            setattr(parent, attribute, new)
            changes.append(Swapped(name, parent, attribute, old, new))
    return changes


def _check_state(name: str, old: nn.Module, new: nn.Module) -> None:
    before, after = old.state_dict(), new.state_dict()
    where = f"{type(new).__name__} instead of {shown(name)} ({type(old).__name__})"
    for key in before.keys() ^ after.keys():
        change = "add" if key in after else "lose"
        raise ValueError(
            f"{where} would {change} the state_dict key {name + '.' + key!r}, so that weights would no longer load; "
            f"insert() leaves the state_dict as it is"
        )
    for key, value in before.items():
        if not _same(value, after[key]):
            raise ValueError(f"{where} would change the value of {name + '.' + key!r} in the state_dict")


def _same(old: object, new: object) -> bool:
    if not isinstance(old, Tensor) or not isinstance(new, Tensor):
        return old is new or bool(old == new)
    if old.shape != new.shape or old.dtype != new.dtype:
        return False
    return old is new or old.data_ptr() == new.data_ptr() or bool((old == new.to(old.device)).all())


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    yield from module.parameters()
    yield from module.buffers()
