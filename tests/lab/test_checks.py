"""Everything that a study asks for and can't have is found before anything is trained, and said under its key."""

from pathlib import Path
from typing import Any

import pytest
import torch

from dropover.lab.checks import problems_of
from dropover.lab.study import Study
from dropover.lab.study_file import built_in_path, load_study


def problems(**changes: Any) -> list[str]:
    arms = [{"method": "none"}, *changes.pop("arms", [])]
    return problems_of(Study.model_validate({"arms": arms, **changes}))


def test_a_sound_study_has_no_problem_and_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    assert (
        problems(
            arms=[{"method": "dropout", "p": 0.3, "at": ["fc", "features"]}, {"method": "fdd2d"}],
            model={"width": 0.1, "batch_norm": True},
            evaluation={
                "noise": {"gaussian": [0, 1.5]},
                "attacks": [{"name": "pgd", "eps": [0, 1], "steps": 3, "restarts": 2}],
            },
        )
        == []
    )
    assert torch.equal(torch.get_rng_state(), before)


def test_a_method_that_wraps_layers_is_refused() -> None:
    assert problems(arms=[{"method": "drop-connect"}]) == [
        "arms[1].method: drop-connect wraps a layer and can't be placed in a study"
    ]


def test_blocks_larger_than_the_maps_are_refused_under_their_key() -> None:
    found = problems(arms=[{"method": "drop-block", "block_size": 99}])
    assert len(found) == 1
    assert found[0].startswith("arms[1].block_size: block_size must be at most")


def test_the_built_in_study_is_sound() -> None:
    study = load_study(built_in_path())
    assert [arm.method for arm in study.arms] == ["none", "dropout", "spatial", "flipover", "fdd1d", "fdd2d"]
    assert len(study.seeds) == 3


@pytest.mark.parametrize(
    ("arm", "key", "said"),
    [
        ({"method": "flipovr"}, "arms[1].method: ", "did you mean 'flipover'?"),
        ({"method": "dropout", "p": 1.5}, "arms[1].p: ", "got 1.5"),
        ({"method": "dropout", "pp": 0.5}, "arms[1].pp: ", "did you mean 'p'?"),
        ({"method": "dropout", "p": "half"}, "arms[1].p: ", "must be a number, got 'half'"),
        ({"method": "dropout", "at": ["fcc"]}, "arms[1].at: ", "no position 'fcc': did you mean 'fc'? known are"),
        ({"method": "dropout", "at": ["fc", "fc"]}, "arms[1].at: ", "has 'fc' twice"),
        ({"method": "dropout", "at": []}, "arms[1].at: ", "is empty"),
        ({"method": "none", "name": "other", "p": 0.5}, "arms[1].p: ", "has no effect"),
        ({"method": "none", "name": "other", "at": ["fc"]}, "arms[1].at: ", "has no effect"),
        ({"method": "fdd2d", "at": ["fc"]}, "arms[1]: ", "maps"),
    ],
)
def test_arms(arm: dict[str, Any], key: str, said: str) -> None:
    (problem,) = problems(arms=[arm])
    assert problem.startswith(key)
    assert said in problem


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"model": {"name": "small-cn"}}, "model.name: ", "did you mean 'small-cnn' or"),
        ({"model": {"widht": 1}}, "model.widht: ", "did you mean 'width'? known are width, batch_norm"),
        ({"model": {"width": -1}}, "model.width: ", "got -1"),
        ({"data": {"name": "mnist-5"}}, "data.name: ", "did you mean 'mnist-5k'"),
        ({"data": {"train_limit": 5000}}, "data.train_limit: ", "at most 4000"),
        ({"data": {"test_limit": 10}, "evaluation": {"attack_images": 11}}, "evaluation.attack_images: ", "at most 10"),
        ({"evaluation": {"noise": {"gausian": [1]}}}, "evaluation.noise.gausian: ", "did you mean 'gaussian'?"),
        ({"evaluation": {"noise": {"salt-and-pepper": [2]}}}, "evaluation.noise.salt-and-pepper: ", "in [0, 1]"),
    ],
)
def test_the_rest_of_a_study(changes: dict[str, Any], key: str, said: str) -> None:
    (problem,) = problems(**changes)
    assert problem.startswith(key)
    assert said in problem


@pytest.mark.parametrize(
    ("attack", "key", "said"),
    [
        ({"name": "fgms"}, ".name: ", "did you mean 'fgsm'?"),
        ({"name": "fgsm", "steps": 3}, ".steps: ", "attack fgsm has no such setting: it has none"),
        ({"name": "pgd", "stepz": 3}, ".stepz: ", "did you mean 'step' or 'steps'?"),
        ({"name": "pgd", "steps": 0}, ".steps: ", "at least 1, got 0"),
        ({"name": "pgd", "eps": [0.1, 8]}, ".eps: ", "in pixels, at most 1, got 8"),
    ],
)
def test_attacks(attack: dict[str, Any], key: str, said: str) -> None:
    (problem,) = problems(evaluation={"attacks": [{"eps": [0.1], **attack}]})
    assert problem.startswith("evaluation.attacks[0]" + key)
    assert said in problem


def test_an_attack_listed_twice_would_give_two_rows_of_one_name() -> None:
    (problem,) = problems(evaluation={"attacks": [{"name": "fgsm", "eps": [0.1]}, {"name": "fgsm", "eps": [0.1]}]})
    assert problem.startswith("evaluation.attacks[1].name: 'fgsm' is listed twice")


def test_missing_images_are_a_problem_like_any_other(tmp_path: Path) -> None:
    found = problems(data={"name": "fashion-mnist", "folder": str(tmp_path)}, arms=[{"method": "dropout", "p": 2}])
    assert len(found) == 2
    assert found[0].startswith("data: fashion-mnist has no file train-images-idx3-ubyte.gz")
    assert str(tmp_path) in found[0]
    assert found[1].startswith("arms[1].p: ")
