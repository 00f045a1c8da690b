"""A winner as lines of Python that put it into a model."""

from typing import Any

from dropover.insertion.serialization import decode
from dropover.lab.models.parts.building import positions_of
from dropover.lab.models.parts.foreign import network_named
from dropover.lab.study import Arm, Study
from dropover.methods import METHODS


def lines_of(study: Study, arm: Arm) -> str:
    """Lines that insert an arm's layers into `model`, the study's network; a function's own net has its own places."""
    method = METHODS.get(arm.method)
    settings: dict[str, Any] = {**method.presets, **{name: decode(value) for name, value in arm.settings.items()}}
    layer = f"dropover.{method.layer.__name__}({', '.join(f'{name}={_said(each)}' for name, each in settings.items())})"
    moves = any(isinstance(value, dict) for value in arm.settings.values())
    after = ["dropover.advance(model, done)  # before each step, with the share of training that is done"] * moves
    if study.trial is not None and arm.at is None:
        return "\n".join(["import dropover", "", f"layer = {layer}", *after])
    named = {} if study.trial is not None else network_named(study.model.name).positions
    keys = []
    for word in positions_of(arm):
        target = named.get(word, word)
        for each in (target,) if isinstance(target, str) else target:
            before = each.startswith("before ")
            path = each.removeprefix("before ").removeprefix("after ")
            keys.append(f'"{path}": ' + (f'("before", {layer})' if before else layer))
    call = f"plan = dropover.insert(model, {{{', '.join(keys)}}}, example=inputs)  # a batch of at least two"
    return "\n".join(["import dropover", "", call, *after])


def _said(value: Any) -> str:
    """A setting as Python, a schedule of ours by its public name."""
    return repr(value) if type(value).__module__ == "builtins" else f"dropover.{value!r}"
