"""What counts for a trial and for a net, and that nothing which doesn't count can decide a result."""

from pathlib import Path

import grimp
import pytest

import dropover
from dropover.lab.digests import of_plain
from dropover.lab.records import fingerprints
from dropover.lab.records.fingerprints import (
    AFTER_TRAINING,
    BESIDE_TRIALS,
    WORDS_ONLY,
    net_fingerprint,
    trial_ingredients,
)
from dropover.lab.study import Arm, Study

BASE = {"seeds": [3, 1], "data": {"train_limit": 40}, "arms": [{"method": "none"}, {"method": "dropout", "p": 0.5}]}
PACKAGE = Path(str(dropover.__file__)).parent


def study(**changes: object) -> Study:
    return Study.model_validate({**BASE, **changes})


def of_trial(chosen: Study, arm: int = 1, seed: int = 3) -> str:
    return of_plain(trial_ingredients(chosen, chosen.arms[arm], seed))


def of_net(chosen: Study, arm: int = 1, seed: int = 3) -> str:
    return net_fingerprint(chosen, chosen.arms[arm], seed)


@pytest.mark.parametrize("of", [of_trial, of_net])
def test_arm_seed_data_network_and_training_count_for_both(of):
    found = [
        of(study()),
        of(study(), arm=0),
        of(study(), seed=1),
        of(study(data={"train_limit": 41})),
        of(study(data={"train_limit": 40, "test_limit": 999})),
        of(study(data={"train_limit": 40, "validation": 2000})),
        of(study(model={"width": 0.5})),
        of(study(training={"lr": 0.02})),
        of(study(evaluation={"batch_size": 100})),
    ]
    assert len(set(found)) == len(found)


def test_what_is_measured_counts_for_a_trial_and_not_for_its_net():
    measured = study(evaluation={"noise": {"gaussian": [0.1]}})
    assert of_trial(measured) != of_trial(study())
    assert of_net(measured) == of_net(study())


@pytest.mark.parametrize("of", [of_trial, of_net])
def test_names_and_words_do_not_count(of):
    dressed = study(
        name="other", description="words", scale="paper", seeds=[3], circumstances={"cpu": "x"}, reference="called",
        data={"train_limit": 40, "name": "mnist5k"},
        arms=[{"method": "dropout", "p": 0.5, "name": "called"}],
    )  # fmt: skip
    assert of(dressed, arm=0) == of(study())


def test_versions_and_code_count(monkeypatch: pytest.MonkeyPatch):
    found = [of_trial(study()), of_net(study())]
    monkeypatch.setattr(fingerprints, "deciding_versions", lambda _imported: {"torch": "0"})
    found += [of_trial(study()), of_net(study())]
    monkeypatch.setattr(fingerprints, "code", lambda _left_out: "edited")
    found += [of_trial(study()), of_net(study())]
    assert len(set(found)) == len(found)


def test_the_versions_are_those_of_what_decides(monkeypatch: pytest.MonkeyPatch):
    def versions(name: str) -> set[str]:
        chosen = Study.model_validate({**BASE, "model": {"name": name}})
        found = trial_ingredients(chosen, Arm(method="none"), 0)["versions"]
        assert "not installed" not in found.values()
        return set(found)

    ours = {"python", "torch", "torchvision", "numba"}
    assert versions("small-cnn") == ours
    assert versions("timm:resnet18") == ours | {"timm"}
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert trial_ingredients(study(), Arm(method="none"), 0)["versions"]["numba"] == "turned off"


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("dropover", cache_dir=None, exclude_type_checking_imports=True)


def closure(graph: grimp.ImportGraph, *roots: str) -> set[str]:
    """The files of the modules named, of those below them, and of all that these import, inside functions too."""
    modules = {module for root in roots for module in {root} | graph.find_descendants(root)}
    modules |= {each for module in modules for each in graph.find_upstream_modules(module)}
    return {_file(module) for module in modules}


def _file(module: str) -> str:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).relative_to(PACKAGE).as_posix()


# Registries import their entries by name, which no graph shows.
ENTRIES = ("dropover.methods", "dropover.compute.kernels", "dropover.lab.models", "dropover.lab.data")


@pytest.mark.parametrize(
    ("listed", "roots"),
    [
        (
            BESIDE_TRIALS,
            (
                "dropover.lab.running.calling",
                "dropover.lab.running.worker",
                "dropover.lab.attacks",
                "dropover.lab.noise",
            ),
        ),
        (AFTER_TRAINING, ("dropover.lab.training.trained",)),
    ],
)
def test_no_file_that_does_not_count_can_decide_a_result(
    graph: grimp.ImportGraph, listed: tuple[str, ...], roots: tuple[str, ...]
):
    used = closure(graph, *roots, *ENTRIES)
    assert used >= {
        "lab/training/loop.py",
        "methods/dropout.py",
        "compute/kernels/selecting.py",
        "__init__.py",
        "compute/masks.py",
    }
    assert all((PACKAGE / file).exists() for file in used | set(listed))
    assert {file for file in used if file.startswith(listed)} == set(WORDS_ONLY)


def test_a_file_that_nobody_knows_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "lab" / "judging").mkdir(parents=True)
    monkeypatch.setattr(dropover, "__file__", str(tmp_path / "__init__.py"))
    found = []
    for file in ("__init__.py", "new.py", "lab/new.py", "lab/judging/new.py"):
        (tmp_path / file).write_text("", encoding="utf-8")
        found.append(fingerprints.code.__wrapped__(BESIDE_TRIALS))
    assert len(set(found)) == 3
    assert found[-1] == found[-2]
