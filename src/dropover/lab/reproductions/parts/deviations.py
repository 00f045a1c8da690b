"""Where a run leaves the paper: what its scale changes, found by comparing studies, and what is always different."""

from collections.abc import Iterator, Mapping
from typing import Any

from dropover.lab.reproductions.parts.reproduction import Reproduction
from dropover.lab.reproductions.parts.studies import Evidence, Run, set_name
from dropover.lab.study import Study

_WORDS = {
    "data.name": "images",
    "data.train_limit": "training images",
    "data.test_limit": "test images",
    "evaluation.attack_images": "attacked images",
    "evaluation.inference_rates": "rates at inference",
    "training.lr": "learning rate",
    "training.augment": "augmentation",
}
# No one's figures depend on it.
_SILENT = ("evaluation.batch_size", "data.folder")
# All that a picture of images alone depends on.
_OF_IMAGES = ("data.name", "data.test_limit", "evaluation.noise")


def scale_line(scale: str) -> str:
    """What a scale is worth, in a sentence."""
    if scale == "paper":
        return "Scale: paper, the full setting."
    return f"Scale: {scale}. Smaller than the paper's setting, so this is no reproduction of the paper."


def deviations(reproduction: Reproduction, evidence: Evidence) -> list[str]:
    """Every known difference from the paper, a line each: by scale, by data sets left out, and at any scale."""
    alike: dict[str, list[str]] = {}
    for run in evidence.runs:
        if changed := _by_scale(run):
            alike.setdefault(changed, []).append(run.study.name)
    lines = [f"{', '.join(names)}: {changed}." for changed, names in alike.items()]
    here = {request.name for request in reproduction.requests(evidence.scale)}
    elsewhere = [request for request in reproduction.requests("paper") if request.name not in here]
    if sets := [set_name(request.raw("paper")["data"]["name"]) for request in elsewhere]:
        lines.append(f"Not run at this scale: {', '.join(dict.fromkeys(sets))}.")
    lines += [f"Not run, for want of the images: {line}" for line in evidence.missing]
    return [*lines, *reproduction.deviations]


def _by_scale(run: Run) -> str:
    """What this study's scale changes, in a line; empty if nothing."""
    paper = Study.model_validate(run.request.raw("paper"))
    ours, theirs = dict(_settings(run.study)), dict(_settings(paper))
    changed = [
        f"{_WORDS.get(key, key.rpartition('.')[2].replace('_', ' '))} {_told(key, ours.get(key))} "
        f"instead of {_told(key, theirs.get(key))}"
        for key in dict.fromkeys([*ours, *theirs])
        if ours.get(key) != theirs.get(key) and (not run.request.images_only or key.startswith(_OF_IMAGES))
    ]
    return ", ".join(changed)


def _settings(study: Study) -> Iterator[tuple[str, Any]]:
    """Each setting that has a bearing on figures, by its dotted key; an attack's by its name."""
    yield "seeds", len(study.seeds)
    content = study.model_dump(mode="json", include={"data", "model", "training", "evaluation"})
    for attack in content["evaluation"].pop("attacks"):
        for key, value in attack.items():
            if key not in ("name", "label") and value is not None:
                # Two norms of one attack are two attacks.
                yield f"evaluation.{attack.get('label') or attack['name']} {key}", value
    yield from _leaves("", content)


def _leaves(prefix: str, content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict):
            yield from _leaves(name, value)
        elif name not in _SILENT:
            yield name, value


def _told(key: str, value: Any) -> str:
    """A setting's value in words."""
    if value is None:
        return "all" if key.endswith(("_limit", "_images")) else "the default"
    if isinstance(value, list):
        return ", ".join(_told(key, each) for each in value) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    return set_name(str(value))
