"""The user's own training function as a trial: what the arms share, what is kept, and what is refused."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import torch
from tests.lab import functions
from torch import nn

import dropover
from dropover import lab
from dropover.lab.models.parts.positions import PositionError
from dropover.lab.models.parts.users import arm_of, layer_of, place_in
from dropover.lab.records import sources
from dropover.lab.running.calling import run_trial
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.study_file import StudyError
from dropover.lab.study import Arm, Study

ARMS = {"none": None, "dropout": dropover.Dropout(0.5), "flipover": dropover.Flipover(0.3)}
Make = Callable[[str, str], ModuleType]


def compared(function: Any, folder: Path, **options: Any) -> lab.Result:
    given = {"arms": ARMS, "seeds": 2, "out": folder, "progress": False, **options}
    return lab.compare(function, given.pop("arms"), **given)


def values(result: lab.Result, measure: str) -> pd.DataFrame:
    """Seeds × arms."""
    rows = result.table[(result.table["measure"] == measure) & result.table["level"].isna()]
    return rows.pivot_table(index="seed", columns="arm", values="value")


def reasons(result: lab.Result) -> set[str]:
    return {re.sub(r"; traceback in .*", "", reason) for reason in result.failed.values()}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> lab.Result:
    return compared(functions.train, tmp_path_factory.mktemp("ran"))


def test_arms_of_a_seed_share_weights_and_batches_and_nothing_else(ran: lab.Result):
    assert not ran.failed
    for shared in ("weights", "order"):
        table = values(ran, shared)
        assert (table.nunique(axis=1) == 1).all()
        assert table["none"].nunique() == 2
    losses = ran.table[ran.table["measure"] == "train_loss"]
    assert set(losses["level"]) == {0.0, 1.0, 2.0}
    assert (losses.groupby(["seed", "level"])["value"].nunique() == 3).all()


def test_a_rerun_computes_nothing_and_an_added_arm_or_seed_only_what_is_new(ran: lab.Result):
    again = compared(functions.train, ran.folder)
    assert again.run.reused == 6
    pd.testing.assert_frame_equal(again.table, ran.table)
    more = compared(functions.train, ran.folder, arms={**ARMS, "spatial": dropover.Flipover(0.1)}, seeds=3)
    assert (more.run.reused, len(more.run.finished)) == (6, 12)


def test_settings_reach_the_function_and_count(ran: lab.Result):
    other = compared(functions.train, ran.folder, settings={"extra": 3})
    assert other.run.reused == 0
    assert (values(other, "extra") == 3).all(axis=None)


def test_changed_code_never_reuses_results_unless_a_version_is_given(tmp_path: Path, make_module: Make):
    source = "def train(trial):\n    return {'accuracy': VALUE}\n"
    for value, reused, version in (
        (0.1, 0, ""),
        (0.1, 4, ""),
        (0.2, 0, ""),
        (0.2, 0, "a"),
        (0.3, 4, "a"),
        (0.3, 0, "b"),
    ):
        sources.forget_sources()  # as a new process would find it
        module = make_module("changing_function", f"VALUE = {value}\n{source}")
        arms = {"none": None, "dropout": dropover.Dropout(0.5)}
        result = compared(module.train, tmp_path / "out", arms=arms, version=version)
        assert result.run.reused == reused, (value, version)


def test_functions_that_no_other_process_can_import_run_here(tmp_path: Path):
    def inside(value: float) -> Callable[[lab.Trial], dict[str, float]]:
        return lambda trial: {"accuracy": value + trial.seed / 100}

    first = compared(inside(0.5), tmp_path)
    assert not first.failed
    assert first.jobs == 1
    assert compared(inside(0.5), tmp_path).run.reused == 6
    assert compared(inside(0.6), tmp_path).run.reused == 0, "what it encloses is part of it"
    with pytest.raises(ValueError, match=r"jobs must be 1 .* notebook"):
        compared(inside(0.5), tmp_path, jobs=2)


def test_this_process_keeps_its_random_numbers(tmp_path: Path):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    compared(lambda trial: {"accuracy": float(torch.rand(())) + trial.seed}, tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_a_model_with_test_images_is_measured_under_noise_and_attack(tmp_path: Path):
    evaluation = {"noise": {"gaussian": [0.1]}, "attacks": [{"name": "fgsm", "eps": [0.1]}]}
    result = compared(functions.images, tmp_path, evaluation=evaluation)
    assert not result.failed
    assert {"clean", "gaussian", "fgsm", "worst", "depth"} <= set(result.table["measure"])


def returning(value: str) -> str:
    return f"import torch\nfrom torch import nn\ndef train(trial):\n    return {value}\n"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("None", r"must return a dictionary of figures .* got None"),
        ("0.5", r"must return a dictionary of figures .* got float"),
        ("{'accuracy': float('nan')}", "returned accuracy = nan"),
        ("{'accuracy': 'high'}", "accuracy must be a number, got 'high'"),
        ("{'accuracy': torch.zeros(2)}", r"accuracy must be a number, got Tensor of shape \(2,\)"),
        ("{'clean': 0.5}", "'clean', which is what a figure of the lab"),
        ("{3: 0.5}", "must be texts, got 3"),
        ("{}", "returned no figure"),
        ("(nn.Linear(2, 2), {}, (torch.zeros(2, 3), torch.zeros(2)))", r"must be of shape \(N, C, H, W\)"),
        ("(nn.Linear(2, 2), {}, (torch.full((2, 1, 2, 2), 3.0), torch.zeros(2)))", r"pixels in \[0, 1\]"),
        ("[][0]", r"IndexError: list index out of range \(.*, line 5\)"),
        ("exit(3)", "SystemExit: 3"),
        ("trial.regularize(nn.ReLU())", "neither a dropout nor a linear layer"),
        ("trial.log('one', loss=1)", "step must be a number"),
    ],
)
def test_what_a_function_may_not_do_is_one_line_and_the_others_are_kept(
    tmp_path: Path, make_module: Make, value: str, says: str
):
    bad = returning(value).replace("    return", "    if trial.arm == 'none': return {'accuracy': 0.5}\n    return")
    result = compared(make_module("returning_function", bad).train, tmp_path, arms=ARMS, seeds=1)
    assert values(result, "accuracy").columns.tolist() == ["none"]
    assert len(reasons(result)) == 1
    (reason,) = reasons(result)
    assert re.search(says, reason), reason
    assert "\n" not in reason


def test_what_can_be_known_before_is_refused_before(tmp_path: Path):
    with pytest.raises(StudyError, match="must take one argument, the trial"):
        compared(functions.net, tmp_path)
    with pytest.raises(TypeError, match=r"arms\['a'\] must be one of dropover's layers"):
        compared(functions.nothing, tmp_path, arms={"a": nn.Dropout(0.5)})
    with pytest.raises(ValueError, match="settings must have other names than version"):
        compared(functions.nothing, tmp_path, settings={"version": 2})
    with pytest.raises(ValueError, match="arms are the study's own"):
        lab.compare(Study.model_validate({"arms": [{"method": "none"}]}), ARMS)
    with pytest.raises(ValueError, match="arms must name at least one"):
        compared(functions.nothing, tmp_path, arms={})
    with pytest.raises(StudyError, match=r"arms\[0\].p: .*between 0 and 1|p must be"):
        compared(functions.nothing, tmp_path, arms={"a": {"method": "dropout", "p": 3}})
    assert not list(tmp_path.iterdir())


def test_images_tables_and_a_function_exclude_each_other():
    from dropover.lab.running.checks import problems_of

    function = {"trial": {"function": "tests.lab.functions:train"}, "arms": [{"method": "none"}]}
    assert not problems_of(Study.model_validate(function))
    assert "has no effect with" in problems_of(Study.model_validate({**function, "data": {"name": "mnist-5k"}}))[0]
    assert (
        "measures: has no effect"
        in problems_of(Study.model_validate({"arms": function["arms"], "measures": {"a": {}}}))[0]
    )


def test_layers_survive_the_way_through_a_study():
    layers = [
        dropover.Dropout(0.3),
        dropover.Flipover(dropover.LinearSchedule(0.0, 0.3), 0.1),
        dropover.DensityDropout(2),
        dropover.DensityDropout(1),
        dropover.Regularizer(units="channel", rates=dropover.DensityRates(slope=-0.4, intercept=0.45), effect="flip"),
    ]
    for layer in layers:
        arm = Arm.model_validate(arm_of("a", layer))
        assert repr(layer_of(arm)) == repr(layer)
        assert Arm.model_validate(arm.model_dump(mode="json", exclude_none=True)) == arm


def test_layers_go_where_dropouts_were_else_before_the_head():
    head = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    assert [(spot.side, spot.path) for spot in lab.places(head)] == [("before", "2")]
    own = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1), nn.Linear(4, 4), nn.Dropout(0.2), nn.Linear(4, 2))
    assert [(spot.side, spot.path) for spot in lab.places(own)] == [("instead", "1"), ("instead", "3")]
    place_in(own, Arm(method="none"))
    assert not any(isinstance(module, nn.Dropout) for module in own.modules())
    with pytest.raises(PositionError, match="must be said, as `at`"):
        lab.places(nn.Sequential(nn.ReLU()))
    assert "4 features" in str(lab.places(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), torch.zeros(2, 4), at="0"))


def test_schedules_move_with_nested_loops_and_progress_rises():
    arm = {"method": "dropout", "name": "d", "p": {"class": "LinearSchedule", "settings": {"start": 0.0, "end": 1.0}}}
    study = Study.model_validate(
        {"trial": {"function": "tests.lab.functions:nothing"}, "reference": "d", "arms": [arm]}
    )
    told: list[TrialProgress] = []
    trial = lab.Trial(study, "d", 0, told.append)
    model = trial.regularize(functions.net())
    (layer,) = dropover.regularizers(model)
    rates = []
    for _ in trial.track(range(2)):
        rates += [layer.rates(torch.zeros(1, 8)).mean().item() for _ in trial.track(range(4))]
    assert rates == pytest.approx([k / 8 for k in range(8)])
    assert [each.done for each in told] == sorted(each.done for each in told)
    with pytest.raises(ValueError, match="give it total="):
        next(iter(trial.track(iter([1]))))


def test_a_trial_has_a_folder_of_its_own(tmp_path: Path):
    study = Study.model_validate(
        {"trial": {"function": "tests.lab.functions:nothing"}, "arms": [{"method": "none"}, {"method": "dropout"}]}
    )
    folders = {lab.Trial(study, arm, seed, results=tmp_path).folder for arm in ("none", "dropout") for seed in (0, 1)}
    assert len(folders) == 4
    assert all(folder.is_dir() and tmp_path in folder.parents for folder in folders)


def test_the_labs_own_training_is_a_function_of_that_kind():
    settings = {"epochs": 1, "batch_size": 8}
    study = Study.model_validate(
        {
            "data": {"train_limit": 16, "test_limit": 10},
            "model": {"name": "small-cnn", "width": 0.0625},
            "training": settings,
            "arms": [{"method": "none"}],
        }
    )
    rows = run_trial(study, study.arms[0], 0)
    assert [row.measure for row in rows[:2]] == ["clean", "train_loss"]
    assert {"seconds", "images_per_second"} <= {row.measure for row in rows}
