"""The three parts of a method, units, rates and effect, and what joins them: draws, rescaling, schedules."""

import importlib
import pkgutil


def public() -> dict[str, type]:
    """Every part that a user may name: the classes that a module here or in `rates` lists in its `__all__`."""
    modules = [importlib.import_module(each.name) for each in pkgutil.walk_packages(__path__, f"{__name__}.")]
    listed = [getattr(module, name) for module in modules for name in getattr(module, "__all__", ())]
    return {each.__name__: each for each in listed if isinstance(each, type)}
