"""Boards: what a study shows on TensorBoard and MLflow, read back with their own readers."""

import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

import dropover
from dropover import lab
from dropover.cli import app
from dropover.lab.boards import BOARDS, boards_named
from dropover.lab.boards.mlflow import ARM, FAILURE, SEED, STORE, TRIAL, VERSION
from dropover.lab.boards.parts.feeding import on_boards
from dropover.lab.boards.tensorboard import FOLDER
from dropover.lab.records.rows import CORRECT, Row
from dropover.lab.records.store import Finished
from dropover.lab.records.trials import TrialKey
from dropover.lab.running.calling import run_trial
from dropover.lab.running.events import Ended, Event, Failed, Moved, Noted, Started
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.runner import run_study
from dropover.lab.study import Study
from dropover.lab.user_code import name_of

from . import functions

ARMS = {"none": {"method": "none"}, "drop / out": {"method": "dropout", "p": 0.3}}
EVALUATION = {"noise": {"gaussian": [0.1, 0.2]}, "attacks": [{"name": "fgsm", "eps": [0.1]}]}
Shown = dict[str, list[tuple[int, float]]]
"""Of a run: name → steps and values."""


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Making MLflow's tables takes seconds."""
    path = tmp_path_factory.mktemp("store") / STORE
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> Path:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "out").mkdir()
    shutil.copy(empty_store, tmp_path / "out" / STORE)
    return tmp_path / "out"


def study() -> Study:
    arms = [{"name": name, **arm} for name, arm in ARMS.items()]
    return Study.model_validate({"name": "told", "seeds": 2, "arms": arms, "evaluation": EVALUATION})


def key(arm: str, seed: int) -> TrialKey:
    return TrialKey(study().arm(arm), seed, {"arm": arm, "seed": seed})


def curve(steps: Sequence[int], seed: int = 0) -> tuple[Row, ...]:
    return tuple(Row("train_loss", step, 1 / (step + seed + 1)) for step in steps)


def finished(arm: str, seed: int, steps: int = 4) -> Finished:
    scored = [
        Row("clean", None, 0.9 + seed / 100), Row("gaussian", 0.2, 0.5), Row("fgsm", 0.1, 0.25, "linf"),
        Row("fgsm", 0.1, 0.3, "linf", CORRECT), Row("worst", 0.1, 0.25, "linf"),
    ]  # fmt: skip
    return Finished(key(arm, seed), [*scored, *curve(range(steps), seed)], 2.0, {})


def told(arm: str, seed: int, steps: Sequence[int]) -> Moved:
    return Moved(key(arm, seed), TrialProgress(0.5, None, "training", logged=curve(steps, seed)))


def tell(board: str, folder: Path, *events: Event) -> None:
    with BOARDS.get(board).show(study(), folder) as hear:
        for event in events:
            hear(event)


def on_tensorboard(folder: Path) -> dict[str, Shown]:
    runs = {}
    for path in {file.parent for file in (folder / FOLDER).rglob("*tfevents*")}:
        there = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
        names = there.Tags()["scalars"]
        runs[path.relative_to(folder / FOLDER).as_posix()] = {
            name: [(event.step, event.value) for event in there.Scalars(name)] for name in names
        }
    return runs


def of_mlflow(folder: Path, name: str = "told") -> dict[str, Run]:
    client = MlflowClient(f"sqlite:///{folder / STORE}")
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    runs = list(client.search_runs([experiment.experiment_id]))
    named = {f"{run.data.tags[ARM]}/{run.info.run_name if TRIAL in run.data.tags else 'mean'}": run for run in runs}
    assert len(named) == len(runs), "a trial is there twice"
    return named


def on_mlflow(folder: Path) -> dict[str, Shown]:
    client = MlflowClient(f"sqlite:///{folder / STORE}")
    return {
        label.replace("drop / out", "drop - out"): {
            name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }
        for label, run in of_mlflow(folder).items()
    }


READERS: dict[str, Callable[[Path], dict[str, Shown]]] = {"tensorboard": on_tensorboard, "mlflow": on_mlflow}
each_board = pytest.mark.parametrize("board", READERS)


def steps(shown: Shown, name: str = "train_loss") -> list[int]:
    return [step for step, _ in shown.get(name, [])]


def test_every_board_is_read_back_here() -> None:
    assert BOARDS.names() == sorted(READERS)


@each_board
def test_a_trial_is_shown_whole_and_its_arm_by_the_mean_over_seeds(board: str, folder: Path):
    seeds = [
        event
        for seed in (0, 1)
        for event in (Started(key("drop / out", seed)), Ended(finished("drop / out", seed), reused=False))
    ]
    tell(board, folder, *seeds)
    runs = READERS[board](folder)
    assert set(runs) == {"drop - out/seed 0", "drop - out/seed 1", "drop - out/mean"}
    shown = runs["drop - out/seed 1"]
    assert shown["train_loss"] == [(step, pytest.approx(1 / (step + 2))) for step in range(4)]
    finals = {name: values for name, [(_, values), *_] in shown.items() if name.startswith("final/")}
    brackets = "({})" if board == "tensorboard" else "{}"
    assert finals == {
        "final/clean": pytest.approx(0.91), "final/gaussian 0.2": 0.5, "final/fgsm 0.1": 0.25,
        f"final/fgsm {brackets.format('of correct')} 0.1": pytest.approx(0.3), "final/worst 0.1": 0.25,
    }  # fmt: skip
    [(_, mean)] = runs["drop - out/mean"]["final/clean"]
    [(_, spread)] = runs["drop - out/mean"]["spread/final/clean"]
    assert (mean, spread) == (pytest.approx(0.905), pytest.approx(0.01 / 2**0.5, rel=1e-4))


@each_board
def test_a_curve_is_there_while_its_trial_runs_and_after_a_stop(board: str, folder: Path):
    with BOARDS.get(board).show(study(), folder) as hear:
        hear(Started(key("none", 0)))
        hear(told("none", 0, [0]))
        hear(told("none", 0, [1, 2]))
    assert steps(READERS[board](folder)["none/seed 0"]) == [0, 1, 2]


@each_board
def test_a_trial_that_goes_on_where_it_was_killed_goes_on_with_its_curve(board: str, folder: Path):
    tell(board, folder, Started(key("none", 0)), told("none", 0, [0, 1, 2]))
    # The checkpoint was of step 1: what it holds comes first.
    again = (Started(key("none", 0)), told("none", 0, [0, 1]), told("none", 0, [2]))
    tell(board, folder, *again, Ended(finished("none", 0), reused=False))
    assert steps(READERS[board](folder)["none/seed 0"]) == [0, 1, 2, 3]


@each_board
def test_what_is_taken_over_is_written_once(board: str, folder: Path):
    there = [Ended(finished(arm, seed), reused=True) for arm in ARMS for seed in (0, 1)]
    tell(board, folder, *there)
    first = READERS[board](folder)
    files = {path: path.stat().st_mtime_ns for path in (folder / FOLDER).rglob("*")}
    tell(board, folder, *there)
    assert READERS[board](folder) == first
    assert {path: path.stat().st_mtime_ns for path in (folder / FOLDER).rglob("*")} == files
    assert steps(first["none/seed 0"]) == [0, 1, 2, 3]


@each_board
def test_of_a_step_that_was_logged_twice_the_last_is_what_the_trial_ends_with(board: str, folder: Path):
    twice = Moved(key("none", 0), TrialProgress(0.5, None, "", logged=(Row("train_loss", 1, 99.0),)))
    tell(board, folder, Started(key("none", 0)), twice, Ended(finished("none", 0), reused=False))
    points = READERS[board](folder)["none/seed 0"]["train_loss"]
    assert dict(points)[1] == pytest.approx(0.5)


@each_board
def test_strange_names_and_figures_are_shown_too(board: str, folder: Path):
    strange = [Row("top-1 (%) / ümlaut, x", 0, 1.0), Row("a//b", 1.6, float("nan")), Row("never", None, float("inf"))]
    tell(board, folder, Ended(Finished(key("none", 0), strange, 0.0, {}), reused=False))
    assert len(READERS[board](folder)["none/seed 0"]) == 3


def test_tensorboard_lists_arms_by_their_settings_and_leaves_no_file_open(folder: Path):
    tell("tensorboard", folder, Started(key("none", 0)), Ended(finished("drop / out", 0), reused=True))
    tags = EventAccumulator(str(folder / FOLDER / "drop - out" / "seed 0")).Reload().summary_metadata
    [content] = [tag.plugin_data.content for name, tag in tags.items() if name.endswith("session_start_info")]
    assert all(text in content for text in (b"drop / out", b"dropout", b"method", b"seed"))
    descriptors = Path("/proc/self/fd")
    if descriptors.is_dir():
        assert [path for path in descriptors.iterdir() if path.exists() and "tfevents" in path.resolve().name] == []


def test_mlflow_nests_trials_in_arms_and_says_how_each_ended(folder: Path):
    events = [
        Started(key("none", 0)), Ended(finished("none", 0), reused=False), Started(key("none", 1)),
        Started(key("drop / out", 0)), Failed(key("drop / out", 0), "ValueError: no"),
    ]  # fmt: skip
    tell("mlflow", folder, *events)
    runs = of_mlflow(folder)
    assert {label: run.info.status for label, run in runs.items()} == {
        "none/mean": "KILLED", "none/seed 0": "FINISHED", "none/seed 1": "KILLED", "drop / out/mean": "FAILED",
        "drop / out/seed 0": "FAILED",
    }  # fmt: skip
    failed = runs["drop / out/seed 0"]
    assert failed.data.params == {"arm": "drop / out", "method": "dropout", "p": "0.3", "seed": "0"}
    assert failed.data.tags[FAILURE] == "ValueError: no"
    assert failed.data.tags["mlflow.parentRunId"] == runs["drop / out/mean"].info.run_id
    assert failed.data.tags[TRIAL] == key("drop / out", 0).fingerprint
    assert (failed.data.tags[SEED], failed.data.tags[VERSION]) == ("0", dropover.__version__)
    tell("mlflow", folder, Failed(key("drop / out", 0), "no", earlier=True))
    assert of_mlflow(folder)["drop / out/seed 0"].data.tags[FAILURE] == "ValueError: no"
    again = [Started(key("drop / out", 0)), Ended(finished("drop / out", 0), reused=False)]
    tell("mlflow", folder, *again, Ended(finished("none", 0), reused=True))
    after = {label: run.info.status for label, run in of_mlflow(folder).items()}
    assert (after["drop / out/seed 0"], after["drop / out/mean"]) == ("FINISHED", "FINISHED")


FAKE = """
from dropover.lab.records.rows import Row
from dropover.lab.running.progress import TrialProgress

def fake(study, arm, seed, report):
    report(TrialProgress(0.5, None, "training", logged=(Row("loss", 0, 0.5),)))
    return [Row("clean", None, 0.5), Row("loss", 0, 0.5)]
"""


def heard_beside(boards: Sequence[str], folder: Path, trial: Any) -> tuple[list[Event], list[str], int]:
    """What a view hears of a run beside boards, what is told after it, and how many trials finished."""
    events: list[Event] = []
    lines: list[str] = []

    with on_boards(boards_named(boards), study(), folder, lines.append) as beside:
        done = run_study(study(), folder, 1, beside(events.append), trial)
    return events, lines, len(done.finished)


def test_a_server_that_is_down_costs_the_study_a_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, make_module: Callable[[str, str], ModuleType]
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    events, lines, done = heard_beside(["mlflow", "tensorboard"], folder, make_module("told_by", FAKE).fake)
    assert done == 4
    said = [event.line for event in events if isinstance(event, Noted) and "mlflow" in event.line] + lines
    assert len(said) == 1
    assert "nothing answers at http://127.0.0.1:9" in said[0]
    assert on_tensorboard(folder)["none/mean"]["loss"] == [(0, 0.5)]


def test_a_board_that_breaks_is_told_of_once_and_the_others_go_on(
    folder: Path, make_module: Callable[[str, str], ModuleType]
):
    (folder / FOLDER).write_text("no folder")
    events, lines, done = heard_beside(["tensorboard"], folder, make_module("told_by", FAKE).fake)
    assert done == 4
    said = [event.line for event in events if isinstance(event, Noted) and "tensorboard" in event.line] + lines
    assert len(said) == 1
    assert "the same command adds what is missing" in said[0]


def test_compare_shows_what_it_returns(folder: Path):
    arms = {"none": None, "drop - out": dropover.Dropout(0.3)}
    result = lab.compare(
        functions.train, arms, seeds=1, out=folder, name="told", jobs=1, log=["tensorboard", "mlflow"], progress=False
    )
    assert result.failed == {}
    for reader in READERS.values():
        runs = reader(folder)
        for arm in arms:
            rows = result.table[result.table["arm"] == arm]
            losses = rows[rows["measure"] == "train_loss"]
            shown = [
                (int(step), pytest.approx(value)) for step, value in zip(losses["level"], losses["value"], strict=True)
            ]
            assert runs[f"{arm}/seed 0"]["train_loss"] == shown
            [accuracy] = rows[rows["measure"] == "accuracy"]["value"]
            assert runs[f"{arm}/mean"]["final/accuracy"][0][1] == pytest.approx(accuracy)


def test_a_board_that_there_is_not_and_one_that_is_not_installed_are_refused_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["compare", "--log", "tensorbord", "--out", "out"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "unknown board 'tensorbord': did you mean 'tensorboard'" in result.stderr
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    result = CliRunner().invoke(app, ["compare", "--log", "tensorboard", "--out", "out"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert (
        'log: tensorboard needs tensorboard, which is not installed: pip install "dropover[tensorboard]"'
        in result.stderr
    )
    with pytest.raises(ValueError, match="needs tensorboard"):
        lab.compare(functions.nothing, {"none": None}, log="tensorboard", out="out")
    assert not Path("out").exists()


def steadily(trial: lab.Trial) -> dict[str, float]:
    for step in range(50):
        trial.log(step, loss=1.0 / (step + 1))
    if trial.seed:
        raise ValueError("no")
    return {"accuracy": 0.5}


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_trial_logs_is_told_once_and_in_order(fails: bool):
    arms = [{"name": "none", "method": "none"}]
    chosen = Study.model_validate({"trial": {"function": name_of(steadily)}, "arms": arms})
    reports: list[TrialProgress] = []
    with pytest.raises(ValueError, match="no") if fails else nullcontext():
        run_trial(chosen, chosen.arms[0], int(fails), reports.append)
    logged = [row for report in reports for row in report.logged]
    assert logged == [Row("loss", step, 1.0 / (step + 1)) for step in range(len(logged))]
    # Of one that fails there are no rows to hold the rest.
    assert 50 * fails <= len(logged) <= 50
