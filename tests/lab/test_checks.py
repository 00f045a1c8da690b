"""Everything that a study asks for and can't have is found before anything is trained, and said under its key."""

from pathlib import Path
from typing import Any

import pytest
import torch

from dropover.lab.running.checks import problems_of
from dropover.lab.running.study_file import built_in_path, checked, read_study
from dropover.lab.study import Study


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
    assert found[0].startswith("arms[1].block_size: DropBlock after 'last-conv': block_size must be at most")


def test_the_built_in_study_is_sound() -> None:
    study = checked(read_study(built_in_path()), "main")
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
        ({"method": "dropout", "at": ["14", "1*"]}, "arms[1].at: ", "'14' and '1*' both put a layer after '14'"),
        ({"method": "dropout", "at": ["before fcc"]}, "arms[1].at: ", "did you mean 'before fc'?"),
        (
            {"method": "fdd2d", "at": ["fc"]},
            "arms[1].at: ",
            "fdd2d is meant for maps, and after 'fc' there are 200 features",
        ),
        (
            {"method": "fdd1d", "at": ["last-conv"]},
            "arms[1].at: ",
            "fdd1d is meant for features, and after 'last-conv' there are 64 maps of 8×8",
        ),
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
        ({"model": {"name": "resnet18", "head": "three"}}, "model.head: ", "one of 'one', 'two', got 'three'"),
        ({"model": {"name": "vit-small", "heads": 3}}, "model.heads: ", "width must be a multiple of heads"),
        ({"model": {"name": "nowhere_at_all:make"}}, "model.name: ", "there is no module 'nowhere_at_all'"),
        (
            {"arms": [{"method": "dropout"}, {"method": "fdd2d"}], "evaluation": {"inference_rates": [0.1]}},
            "arms[2].method: ",
            "fdd2d has no rate at inference, which evaluation.inference_rates asks for: methods that have one are ",
        ),
        ({"evaluation": {"inference_rates": [0.1]}}, "evaluation.inference_rates: ", "has no effect"),
        (
            {"arms": [{"method": "dropout"}], "evaluation": {"inference_rates": [0.1, 2]}},
            "evaluation.inference_rates: ",
            "at most 1, got 2",
        ),
        ({"model": {"width": -1}}, "model.width: ", "got -1"),
        ({"data": {"name": "mnist-5"}}, "data.name: ", "did you mean 'mnist-5k'"),
        ({"data": {"train_limit": 5000}}, "data.train_limit: ", "at most 4000"),
        ({"data": {"validation": 4000}}, "data.validation: ", "below 4000"),
        ({"data": {"score": "validation"}}, "data.score: ", "set data.validation"),
        ({"data": {"size": 32}}, "data.size: ", "has no effect on mnist-5k"),
        ({"data": {"name": "folder"}}, "data.folder: ", "must name the folder of images"),
        ({"data": {"name": "nowhere:make"}}, "data: ", "there is no module 'nowhere'"),
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
        (
            {"name": "fgsm", "steps": 3},
            ".steps: ",
            "attack fgsm has no such setting: known are norm, target, units, std, eot",
        ),
        ({"name": "pgd", "stepz": 3}, ".stepz: ", "did you mean 'step' or 'steps'?"),
        ({"name": "pgd", "steps": 0}, ".steps: ", "at least 1, got 0"),
        ({"name": "pgd", "eps": [0.1, 8]}, ".eps: ", "in pixels, at most 1 (linf), got 8"),
        ({"name": "pgd", "eps": [1, 40], "norm": "l2"}, ".eps: ", "in pixels, at most 28 (l2), got 40"),
        (
            {"name": "pgd", "eps": [1, 3], "units": "normalised"},
            ".eps: ",
            "in units of the normalised input, at most 2 (linf), got 3",
        ),
        ({"name": "pgd", "norm": "l1"}, ".norm: ", "one of 'linf', 'l2', got 'l1'"),
        ({"name": "pgd", "units": "normalised", "std": [1, 1, 1]}, ".std: ", "one for each of 1 channels"),
        ({"name": "square", "queries": 0}, ".queries: ", "at least 1, got 0"),
        ({"name": "cw", "norm": "linf"}, ".norm: ", "must be 'l2' for cw"),
    ],
)
def test_attacks(attack: dict[str, Any], key: str, said: str) -> None:
    (problem,) = problems(evaluation={"attacks": [{"eps": [0.1], **attack}]})
    assert problem.startswith("evaluation.attacks[0]" + key)
    assert said in problem


def test_an_attack_listed_twice_would_give_two_rows_of_one_name() -> None:
    twice = [{"name": "fgsm", "eps": [0.1]}, {"name": "fgsm", "eps": [0.1]}]
    (problem,) = problems(evaluation={"attacks": twice})
    assert problem.startswith("evaluation.attacks[1].label: 'fgsm' is attacks[0] already")
    assert problems(evaluation={"attacks": [twice[0], {**twice[1], "label": "again"}]}) == []
    others = [{"norm": "l2"}, {"target": "random"}, {"norm": "l2", "target": "random"}]
    assert problems(evaluation={"attacks": [twice[0], *({**twice[1], **other} for other in others)]}) == []


def test_a_worst_case_is_over_attacks_in_one_unit() -> None:
    attacks = [{"name": "fgsm", "eps": [0.1]}, {"name": "pgd", "eps": [0.1], "units": "normalised"}]
    (problem,) = problems(evaluation={"attacks": attacks})
    assert problem.startswith("evaluation.attacks[1].units: eps are in other units than those of attacks[0]")
    assert problems(evaluation={"attacks": [attacks[0], {**attacks[1], "norm": "l2"}]}) == []


def test_missing_images_are_a_problem_like_any_other(tmp_path: Path, unreachable: None) -> None:
    found = problems(data={"name": "fashion-mnist", "folder": str(tmp_path)}, arms=[{"method": "dropout", "p": 2}])
    assert len(found) == 2
    assert found[0].startswith("data: fashion-mnist has no file train-images-idx3-ubyte.gz")
    assert str(tmp_path) in found[0]
    assert found[1].startswith("arms[1].p: ")


def test_each_device_of_a_trial_has_an_image_of_every_batch() -> None:
    small = {"data": {"train_limit": 100}, "training": {"batch_size": 8}, "device": "cpu"}
    assert problems(devices_per_trial=7, **small) == []
    assert problems(devices_per_trial=8, **small) == [
        "training.batch_size: must leave each of 8 devices an image of every batch, got 7 in the smallest"
    ]


def test_a_function_of_ones_own_runs_on_one_device() -> None:
    found = problems(devices_per_trial=2, device="cpu", trial={"function": "math:sqrt"})
    assert found[0] == (
        "devices_per_trial: must be 1 with a function of one's own, [trial], which is called in one process, got 2"
    )
