"""Networks that are not ours: the user's own, and timm's."""

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dropover.insertion import insert
from dropover.lab.blame import blaming
from dropover.lab.models import NETWORKS, OF_THE_DATA, Network
from dropover.lab.models.parts.normalize import Normalize
from dropover.lab.user_code import current_directory_importable, factory_named, is_user_code
from dropover.registry import UnknownNameError

TIMM = "timm:"


def network_named(name: str) -> Network:
    """The network that a study's `model.name` means; `ValueError` if there is none.

    That is a registered network; "timm:" and a name of timm's; or "module:factory", a callable of the user's that
    returns an `nn.Module`.
    """
    if name.startswith(TIMM):
        return _of_timm(name)
    if is_user_code(name):
        return _of_user(name)
    try:
        return NETWORKS.get(name)
    except UnknownNameError as error:
        raise UnknownNameError(f"{error}; besides timm:NAME, and MODULE:FACTORY for a network of your own") from None


def _of_user(name: str) -> Network:
    """The user's factory, told of channels, size and classes if it has arguments of these names.

    Its network gets pixels in [0, 1] and normalises them as it likes.
    """
    factory = factory_named(name)

    def build(channels: int, size: int, classes: int, **settings: Any) -> nn.Module:
        of_data = dict(zip(OF_THE_DATA, (channels, size, classes), strict=True))
        asked = {key: value for key, value in of_data.items() if key in inspect.signature(factory).parameters}
        with current_directory_importable():
            with blaming(f"{name} failed:"):
                model = factory(**asked, **settings)
            return _checked(name, model, channels, size, classes)

    summary = (inspect.getdoc(factory) or "your own").splitlines()[0]
    return Network(name, (), summary, build, settings_from=factory)


def _of_timm(name: str) -> Network:
    try:
        import timm
    except ImportError:
        raise ValueError(f"{name} needs timm: pip install timm") from None
    wanted = name.removeprefix(TIMM)
    if not timm.is_model(wanted):
        close = difflib.get_close_matches(wanted, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(repr(TIMM + each) for each in close)}? " if close else ""
        raise ValueError(f"timm has no model {wanted!r}: {hint}timm.list_models() lists them")

    def build(channels: int, size: int, classes: int, **settings: Any) -> nn.Module:
        given: dict[str, Any] = {"in_chans": channels, "num_classes": classes, **settings}
        with blaming(f"{name} failed:"):
            try:
                model = timm.create_model(wanted, **{"img_size": size, **given})
            except TypeError as error:
                if "img_size" not in str(error):
                    raise
                model = timm.create_model(wanted, **given)
            insert(model, {"": ("before", Normalize())})
        return _checked(name, model, channels, size, classes)

    summary = "timm's, with random weights unless pretrained = true"
    return Network(name, (), summary, build, settings_from=_timm_settings)


def _timm_settings(*, pretrained: bool = False, **others: Any) -> Mapping[str, Any]:
    """What a study can set of a timm network: whatever `timm.create_model` takes."""
    return {"pretrained": pretrained, **others}


def _checked(name: str, model: object, channels: int, size: int, classes: int) -> nn.Module:
    """The model itself, after a look at what it makes of two images."""
    if not isinstance(model, nn.Module):
        raise ValueError(f"{name} must return a torch.nn.Module, got {type(model).__name__}")  # noqa: TRY004
    training = model.training
    with torch.no_grad(), blaming(f"{name} failed:"):
        logits = model.eval()(torch.full((2, channels, size, size), 0.5))
    model.train(training)
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if shape != (2, classes):
        raise ValueError(
            f"{name} must give logits of shape (2, {classes}) for two images of shape ({channels}, {size}, {size}), "
            f"got {shape}"
        )
    return model
