"""Dropout rates that a module keeps as plain numbers and applies as a function, where no layer can be put."""

from torch import nn

from dropover.insertion.matching import Positions

_ATTRIBUTES = ("dropout", "attention_dropout", "attn_drop_p", "drop_rate")


def functional_rates(positions: Positions) -> list[str]:
    """The rates above 0 that modules apply as a function, one description for all modules of a kind."""
    groups: dict[tuple[str, str, float], list[str]] = {}
    for module, names in positions.items():
        for attribute in _ATTRIBUTES:
            rate = vars(module).get(attribute)
            if isinstance(rate, float) and rate > 0 and _reads(module, attribute):
                groups.setdefault((attribute, type(module).__name__, rate), []).append(names[0] or "the root")
    return [
        f"{attribute}={rate:g} of {kind} at {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        for (attribute, kind, rate), names in groups.items()
    ]


def _reads(module: nn.Module, attribute: str) -> bool:
    # Some modules keep a rate only to pass it to their children when they are made.
    functions = [getattr(type(module), name) for name in dir(type(module)) if name.startswith("forward")]
    return any(attribute in code.co_names for code in (getattr(each, "__code__", None) for each in functions) if code)
