"""Positions where a layer would have no effect, known without running the model."""

import torch
from torch import nn

from dropover.insertion.names import ModuleNames

# Modules whose parent reads their weights and never calls them: type name of the parent (or of one of its bases) and
# attribute. Type names, so that torchvision needs not be installed.
_READ_ONLY = {
    ("torch.nn", "MultiheadAttention"): ("out_proj",),
    ("torchvision.models.swin_transformer", "ShiftedWindowAttention"): ("qkv", "proj"),
}

# What a timm block with `fused_attn` bypasses: it reads attn_drop.p and calls neither.
BYPASSED = ("attn_drop", "softmax")


def check_position(names: ModuleNames, module: nn.Module) -> None:
    """Raise `ValueError` with the reason if a layer at `module` would have no effect."""
    reason = _reason_against(names, module)
    if reason is not None:
        raise ValueError(f"a layer at {names.label(module)} would have no effect: {reason}")


def fused_blocks(names: ModuleNames, module: nn.Module) -> dict[nn.Module, str]:
    """The blocks whose fused attention, switched on, bypasses `module` (timm), with their names."""
    blocks = {}
    for name in names.of[module]:
        if name and name.rpartition(".")[2] in BYPASSED:
            block, _ = names.parent(name)
            if vars(block).get("fused_attn") is True:
                blocks[block] = names.of[block][0]
    return blocks


def _reason_against(names: ModuleNames, module: nn.Module) -> str | None:
    for name in names.of[module]:
        for each in reversed(names.around(name)):
            if "_orig_mod" in each._modules or getattr(each, "_compiled_call_impl", None) is not None:
                return "it is compiled already and would ignore the layer; insert first, then call torch.compile"
            if isinstance(each, torch.jit.ScriptModule):
                return "it is compiled by torch.jit, which ignores layers added later; insert first, then script"
    if type(module).forward is nn.Module.forward and "forward" not in vars(module):
        return "it has no forward of its own, it only holds other modules; name those"
    readers = [_reader(names, name) for name in names.of[module]]
    if None in readers:
        return None
    path = names.of[module][0].rpartition(".")[0]
    return f"{readers[0]} reads its weights and never calls it; use {path!r} itself"


def _reader(names: ModuleNames, name: str) -> str | None:
    """The type of the module around that reads the weights of the one of that name and never calls it."""
    if not name:
        return None
    parent, attribute = names.parent(name)
    bases = {base.__name__: base.__module__ for base in type(parent).__mro__}
    for (package, kind), attributes in _READ_ONLY.items():
        if attribute in attributes and bases.get(kind, "").startswith(package):
            return type(parent).__name__
    return None
