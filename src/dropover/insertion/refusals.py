"""Positions where a layer would have no effect, known without running the model."""

import torch
from torch import nn

from dropover.insertion.hooks import shown
from dropover.insertion.matching import Positions

# Modules whose parent reads their weights and never calls them: type name of the parent (or of one of its bases) and
# attribute. Type names, so that torchvision needs not be installed.
_READ_ONLY = {
    ("torch.nn", "MultiheadAttention"): ("out_proj",),
    ("torchvision.models.swin_transformer", "ShiftedWindowAttention"): ("qkv", "proj"),
}

# What a timm block with `fused_attn` bypasses: it reads attn_drop.p and calls neither.
BYPASSED = ("attn_drop", "softmax")


def reason_against(positions: Positions, module: nn.Module) -> str | None:
    """Why a layer at `module` would have no effect; None if nothing is known against it."""
    modules = {name: each for each, names in positions.items() for name in names}
    for name in positions[module]:
        for ancestor in (*_ancestors(name, modules), module):
            if is_compiled(ancestor):
                return "it is compiled already and would ignore the layer; insert first, then call torch.compile"
            if isinstance(ancestor, torch.jit.ScriptModule):
                return "it is compiled by torch.jit, which ignores layers added later; insert first, then script"
    never = [_never_called(name, modules, module) for name in positions[module]]
    return None if None in never else never[0]


def check(positions: Positions, module: nn.Module) -> None:
    """Raise `ValueError` with the reason if a layer at `module` would have no effect."""
    reason = reason_against(positions, module)
    if reason is not None:
        name = positions[module][0]
        raise ValueError(f"a layer at {shown(name)} ({type(module).__name__}) would have no effect: {reason}")


def is_compiled(module: nn.Module) -> bool:
    """Whether `torch.compile` or `module.compile()` has taken the module over."""
    return "_orig_mod" in module._modules or getattr(module, "_compiled_call_impl", None) is not None


def fused_blocks(positions: Positions, module: nn.Module) -> list[nn.Module]:
    """The blocks whose fused attention, switched on, bypasses `module` (timm)."""
    modules = {name: each for each, names in positions.items() for name in names}
    found = []
    for name in positions[module]:
        parent, _, attribute = name.rpartition(".")
        if name and attribute in BYPASSED and vars(modules[parent]).get("fused_attn") is True:
            found.append(modules[parent])
    return list(dict.fromkeys(found))


def _ancestors(name: str, modules: dict[str, nn.Module]) -> list[nn.Module]:
    segments = name.split(".") if name else []
    return [modules[".".join(segments[:count])] for count in range(len(segments))]


def _never_called(name: str, modules: dict[str, nn.Module], module: nn.Module) -> str | None:
    if type(module).forward is nn.Module.forward and "forward" not in vars(module):
        return "it has no forward of its own, it only holds other modules; name those"
    if not name:
        return None
    parent, _, attribute = name.rpartition(".")
    bases = {base.__name__: base.__module__ for base in type(modules[parent]).__mro__}
    for (package, kind), attributes in _READ_ONLY.items():
        if attribute in attributes and bases.get(kind, "").startswith(package):
            return f"{type(modules[parent]).__name__} reads its weights and never calls it; use {parent!r} itself"
    return None
