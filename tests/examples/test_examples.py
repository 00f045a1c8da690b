"""The scripts in examples/ run from beginning to end, and their arms share all but their layers."""

import hashlib
import importlib.util
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
from torch import Tensor, nn

from dropover import lab

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
SEEDS = 2
SMALLER = [
    (r"^SEEDS, EPOCHS = \d+, \d+$", "SEEDS, EPOCHS = {seeds}, {epochs}", 1),
    (r"^SENTENCES, WRONG = 1000,", "SENTENCES, WRONG = 300,", 0),
    (r"\bload_digits\(", "load_digits(n_class=3, ", 0),
    # A second process would import all of it again.
    (r"\blab\.compare\(train, ", "lab.compare(train, jobs=1, ", 1),
]
"""Patterns, what stands in their place, and how often at the least."""
VERDICTS = re.compile(r"\b(better|worse|level|undecided)\b")
examples = pytest.mark.parametrize("name", NAMES)


def small(name: str, epochs: int, folder: Path) -> Path:
    """A copy of an example in a folder, with two seeds, few epochs and less data."""
    source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    for pattern, smaller, least in SMALLER:
        source, found = re.subn(pattern, smaller.format(seeds=SEEDS, epochs=epochs), source, flags=re.MULTILINE)
        assert found >= least, pattern
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    return path


def test_there_are_four() -> None:
    assert NAMES == ["huggingface_trainer", "lightning_trainer", "tabular", "timm_finetune"]


@examples
def test_it_runs_and_answers(name: str, tmp_path: Path) -> None:
    script = small(name, 1, tmp_path)
    done = subprocess.run(  # noqa: S603
        [sys.executable, script.name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = done.stdout.partition("The answer")[2]
    assert VERDICTS.search(answer), done.stdout
    (path,) = tmp_path.glob("results/*/results.csv")
    table = pd.read_csv(path)
    final = table[table["level"].isna()]
    arms = table["arm"].nunique()
    assert arms >= 3
    for measure in ("clean" if "clean" in set(table["measure"]) else "accuracy", "log-loss"):
        assert len(final[final["measure"] == measure]) == SEEDS * arms


def digest(*tensors: Tensor) -> str:
    return hashlib.sha256(b"".join(each.detach().cpu().numpy().tobytes() for each in tensors)).hexdigest()


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@examples
def test_arms_of_a_seed_share_weights_and_batches(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    epochs = 2
    module, asked, real = imported(small(name, epochs, tmp_path)), {}, lab.compare
    monkeypatch.setattr(lab, "compare", lambda _train, **settings: asked.update(settings))
    module.main()
    weights: dict[int, set[str]] = defaultdict(set)
    batches: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))

    def watched(trial: lab.Trial) -> Any:
        regularize = trial.regularize

        def watching(model: nn.Module, *rest: Any) -> nn.Module:
            model = regularize(model, *rest)
            weights[trial.seed].add(digest(*model.state_dict().values()))

            def note(model: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
                if model.training:
                    shown = (each for each in (*inputs, *named.values()) if isinstance(each, Tensor))
                    batches[trial.seed][trial.arm].append(digest(*shown))

            model.register_forward_pre_hook(note, with_kwargs=True)
            return model

        monkeypatch.setattr(trial, "regularize", watching)
        return module.train(trial)

    arms = dict(list(asked["arms"].items())[:2])
    asked.pop("evaluation", None)
    result = real(watched, **{**asked, "arms": arms, "jobs": 1, "out": "watched"})
    assert result.failed == {}
    assert set(result.table["arm"]) == set(arms)
    assert not result.verdicts.empty
    assert len(weights) == SEEDS
    assert [len(digests) for digests in weights.values()] == [1] * SEEDS
    assert len(set.union(*weights.values())) == SEEDS
    orders = {seed: {tuple(order) for order in by_arm.values()} for seed, by_arm in batches.items()}
    assert [len(each) for each in orders.values()] == [1] * SEEDS
    assert len(set.union(*orders.values())) == SEEDS
    (order,) = orders[0]
    assert len(set(order)) == len(order) >= 2 * epochs
