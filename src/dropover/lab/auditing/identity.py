"""What an audit's result is determined by: named ingredients, by content and not by where anything lies."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from dropover.lab.auditing.subject import Subject
from dropover.lab.digests import of_plain, of_tensors
from dropover.lab.machine import deciding_versions
from dropover.lab.records.fingerprints import BESIDE_TRIALS, code
from dropover.lab.records.sources import user_sources
from dropover.lab.user_code import name_of

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def identity_of(model: nn.Module, subject: Subject, twins: Sequence[nn.Module] = ()) -> dict[str, Any]:
    """The ingredients of an audit: equal ones have equal results, but for the claim, which decides nothing that is run.

    Args:
        model: As it was given.
        subject: Holds the images that are audited, and the settings.
        twins: The further models.
    """
    sources = [source for each in (model, *twins) for source in _sources(each)]
    packages = {package for each in sources for package in each.packages}
    return {
        "model": digest_of(model),
        "twins": [digest_of(twin) for twin in twins],
        "images": of_tensors({"images": subject.images.cpu().contiguous()}),
        "labels": of_tensors({"labels": subject.labels.cpu(), "index": subject.index.cpu()}),
        "settings": {
            "eps": subject.eps,
            "norm": subject.norm.name,
            "budget": subject.budget.name,
            "seed": subject.seed,
        },
        "computed": {"device": subject.images.device.type},
        "user code": {file: digest for each in sources for file, digest in each.files.items()},
        "code": code(BESIDE_TRIALS),
        "versions": deciding_versions(sorted(packages)),
    }


def digest_of(model: nn.Module) -> str:
    """Digest of a model: what it is made of, as it shows itself, and all its parameters and buffers."""
    tensors = {name: each.detach() for name, each in (*model.named_parameters(), *model.named_buffers())}
    return of_plain([_ADDRESS.sub("", repr(model)), of_tensors(tensors)])


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The names of the ingredients that differ."""
    return [name for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name)]


def _sources(model: nn.Module) -> Iterator[Any]:
    """The user's code among the classes that a model is made of."""
    for kind in sorted({type(module) for module in model.modules()}, key=lambda kind: kind.__qualname__):
        if kind.__module__.partition(".")[0] not in ("torch", "dropover"):
            yield user_sources(name_of(kind))
