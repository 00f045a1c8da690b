"""A trial that is killed goes on from where it was kept, and ends to the bit as one that never was."""

import io
import math
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as checked
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import TensorDataset

from dropover import lab
from dropover.lab.data import Data
from dropover.lab.digests import of_bytes, of_tensors
from dropover.lab.models.parts.building import build_model
from dropover.lab.models.parts.placed_layers import net_state
from dropover.lab.records.checkpoints import Checkpoints, Pace, plain
from dropover.lab.records.trials import key_of
from dropover.lab.running.calling import run_trial
from dropover.lab.running.events import Event, Moved
from dropover.lab.running.passing import is_passing
from dropover.lab.running.progress import TrialProgress
from dropover.lab.running.resuming import CheckpointError
from dropover.lab.running.runner import StudyRun, run_study
from dropover.lab.streams import generator, isolated
from dropover.lab.study import Study
from dropover.lab.training.course import Course, Epoch
from dropover.lab.training.loop import train

from ..commands import POSIX

ALWAYS = Pace(0.0, math.inf)
"""A training is kept whenever it may be."""
TIMES = ("seconds", "images_per_second", "attacked_per_second")
Make = Callable[[str, str], ModuleType]


class Killed(BaseException):
    """What stands in for SIGKILL in this process: nothing may catch it."""


def killed_after(writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the process end when as many checkpoints have been written from now on."""
    write, left = Checkpoints.write, [writes]

    def writes_and_dies(self: Checkpoints, state: Any) -> None:
        write(self, state)
        left[0] -= 1
        if not left[0]:
            raise Killed

    monkeypatch.setattr(Checkpoints, "write", writes_and_dies)


def until_done(run: Callable[[], Any], kills: list[int]) -> Any:
    """What a run gives that is killed after these numbers of checkpoints, begun again each time."""
    for writes in kills:
        with pytest.MonkeyPatch.context() as patch, isolated():
            killed_after(writes, patch)
            try:
                return run()
            except Killed:
                # Another process begins with other numbers.
                random.seed(writes), np.random.seed(writes), torch.manual_seed(writes)  # noqa: NPY002
    return run()


KILLS = st.lists(st.integers(1, 6), max_size=4)

# The lab's own loop


def tiny_data() -> Data:
    images = torch.randint(0, 256, (40, 1, 16, 16), generator=generator(0, "tiny"), dtype=torch.uint8)
    labels = torch.arange(40) % 3
    return Data(images, labels, images[:9], labels[:9], ("a", "b", "c"))


DATA = tiny_data()
TRAININGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"method": "none"}, {"optimizer": "sgd", "schedule": "constant", "augment": []}),
    ({"method": "fdd2d"}, {"optimizer": "sgd", "schedule": "cosine", "augment": ["crop", "flip"]}),
    ({"method": "guided"}, {"optimizer": "adam", "schedule": "cosine", "augment": ["crop"]}),
    ({"method": "dropout", "p": 0.5}, {"optimizer": "adam", "schedule": "constant", "augment": ["flip"]}),
]


def trained(raw: dict[str, Any], chosen: dict[str, Any], path: Path | None) -> tuple[str, list[Epoch]]:
    settings = {"epochs": 2, "batch_size": 9, "lr": 0.01, **chosen}
    study = Study.model_validate(
        {"model": {"width": 0.1}, "training": settings, "arms": [{**raw, "name": "it"}], "reference": "it"}
    )
    model = build_model(study, study.arms[0], 3, DATA)
    record = train(model, DATA, study.training, 3, "an arm", 7, checkpoints=Checkpoints(path, ALWAYS))
    return of_tensors(net_state(model)), record.epochs


@pytest.mark.parametrize(("arm", "chosen"), TRAININGS)
@checked(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kills=KILLS)
def test_the_labs_training_goes_on_from_any_batch_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, arm: dict[str, Any], chosen: dict[str, Any], kills: list[int]
):
    path = tmp_path_factory.mktemp("kept") / "a.checkpoint"
    assert until_done(lambda: trained(arm, chosen, path), kills) == trained(arm, chosen, None)


def test_what_was_trained_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    arm, chosen = TRAININGS[0]
    whole = trained(arm, chosen, tmp_path / "a.checkpoint")
    monkeypatch.setattr(Course, "step", lambda *_: pytest.fail("a batch is trained on again"))
    assert trained(arm, chosen, tmp_path / "a.checkpoint") == whole


# A user's function


FUNCTION = """
import os, random, signal
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

X = torch.randn(24, 6, generator=torch.Generator().manual_seed(0))
DATA = TensorDataset(X, (X[:, 0] > 0).long())
SEEN = []  # by the last call
HERE = Path(__file__).parent


class Noisy(TensorDataset):
    def __getitem__(self, index):
        x, y = super().__getitem__(index)
        return x + 0.1 * torch.randn(6) + random.random() + np.random.rand(), y


def batches(trial, loader):
    way = trial.settings["way"]
    if way == "plain":
        return DataLoader(DATA, 5, shuffle=True, generator=loader)
    if way == "tracked":
        return trial.track(loader)
    if way == "steps":
        return (next(iter(DataLoader(DATA, 5, shuffle=True))) for _ in trial.track(range(5)))
    return loader


def train(trial):
    SEEN.clear()
    for _ in trial.track(range(2)):  # pretraining, say
        torch.rand(1)
    way = trial.settings["way"]
    model = trial.regularize(nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2)))
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.7 ** epoch)
    optimizer.step()  # or the schedule warns of being first
    given = trial.generator("given")
    loader = given if way == "plain" else trial.loader(Noisy(*DATA.tensors), 5, drop_last=way == "tracked")
    sums, losses = {"loss": 0.0}, []
    trial.checkpoint(model=model, optimizer=optimizer, schedule=schedule, sums=sums, losses=losses)
    trial.log(-1, drawn=torch.rand(()))
    for epoch in trial.track(range(3)):
        schedule.step()  # again whenever the epoch is come back to
        sums["loss"] = 0.0
        for x, y in batches(trial, loader):
            noise = 0.1 * torch.randn(1, generator=given) if way != "plain" else 0.0
            loss = nn.functional.cross_entropy(model(x + noise), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            sums["loss"] += loss.item()
            losses.append(loss.item())
            SEEN.append(epoch)
            die(trial)
        trial.log(epoch, train_loss=sums["loss"], random=random.random(), numpy=np.random.rand())
    weights = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    return {"last": loss.item(), "all": sum(losses), "first": losses[0], "weights": weights.double().pow(2).sum(),
            "next": torch.rand(())}


def die(trial):
    "Kill this process at the step that a file names next; each of its lines once."
    plan, steps = HERE / "plan", HERE / "steps"
    if plan.exists():
        with steps.open("a") as file:
            file.write(f"{len(SEEN)}\\n")
        first, *rest = plan.read_text().split() or [""]
        if first and int(first) == len(SEEN):
            plan.write_text(" ".join(rest))
            os.kill(os.getpid(), signal.SIGKILL)
"""
WAYS = ["loader", "tracked", "steps", "plain"]


@pytest.fixture
def own(make_module: Make) -> ModuleType:
    return make_module("resumed", FUNCTION)


def study_of(way: str, **changes: Any) -> Study:
    raw = {
        "trial": {"function": "resumed:train", "way": way},
        "seeds": 1,
        "arms": [{"name": "dropout", "method": "dropout", "p": 0.5}],
        "reference": "dropout",
    }
    return Study.model_validate({**raw, **changes})


def rows_of(study: Study, folder: Path, pace: Pace | None, notices: list[str] | None = None) -> list[tuple[Any, ...]]:
    def report(progress: TrialProgress) -> None:
        if notices is not None and progress.notice:
            notices.append(progress.notice)

    rows = run_trial(study, study.arms[0], 0, report, results=folder, pace=pace)
    return [tuple(vars(row).values()) for row in rows if row.measure not in TIMES]


@pytest.mark.parametrize("way", WAYS)
@checked(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kills=KILLS)
def test_a_users_function_goes_on_to_the_bit(
    own: ModuleType, tmp_path_factory: pytest.TempPathFactory, way: str, kills: list[int]
):
    study, folder = study_of(way), tmp_path_factory.mktemp("kept")
    assert until_done(lambda: rows_of(study, folder, ALWAYS), kills) == rows_of(study, folder, None)


@pytest.mark.parametrize(("way", "left"), [("loader", 6), ("tracked", 5), ("steps", 6), ("plain", 10)])
def test_it_goes_on_with_the_next_batch_and_of_what_has_none_with_the_epoch(
    own: ModuleType, tmp_path: Path, way: str, left: int
):
    # Each epoch has a place at each of its batches but the first, and each but the first one at its own beginning.
    until = {"loader": 4 + 1 + 4, "tracked": 3 + 1 + 3, "steps": 4 + 1 + 4, "plain": 1}[way]
    with pytest.MonkeyPatch.context() as patch:
        killed_after(until, patch)
        with pytest.raises(Killed):
            rows_of(study_of(way), tmp_path, ALWAYS)
    rows_of(study_of(way), tmp_path, ALWAYS)
    assert len(own.SEEN) == left


def test_what_a_trial_took_before_it_was_killed_counts(own: ModuleType, tmp_path: Path, monkeypatch: Any):
    study = study_of("loader")
    with pytest.MonkeyPatch.context() as patch:
        killed_after(5, patch)
        now = time.perf_counter
        patch.setattr(time, "perf_counter", lambda: now() * 1e6)
        with pytest.raises(Killed):
            rows_of(study, tmp_path, ALWAYS)
    seconds = {row.measure: row.value for row in run_trial(study, study.arms[0], 0, results=tmp_path, pace=ALWAYS)}
    assert seconds["seconds"] > 100


# Workers that are really killed


def figures(run: StudyRun) -> dict[str, list[Any]]:
    return {
        done.trial.label: [tuple(vars(row).values()) for row in done.rows if row.measure not in TIMES]
        for done in run.finished
    }


@POSIX
@pytest.mark.parametrize("way", ["loader", "tracked"])
def test_a_worker_that_is_killed_at_a_step(own: ModuleType, tmp_path: Path, way: str):
    study = study_of(way)
    (tmp_path / "plan").write_text("3 7 1")
    trial = partial(run_trial, results=tmp_path, pace=ALWAYS)
    runs = [run_study(study, tmp_path, 1, trial=trial) for _ in range(4)]
    assert ["its process died" in failed.reason for run in runs for failed in run.failed] == [True] * 3
    assert not runs[-1].failed
    (tmp_path / "plan").unlink()
    assert figures(runs[-1]) == figures(run_study(study, tmp_path / "whole", 1))
    assert not list(tmp_path.glob("trials/*.checkpoint"))
    # The batches of the whole training, and again those after which it was killed before they were kept.
    assert len((tmp_path / "steps").read_text().split()) == (15 if way == "loader" else 12) + 3


@POSIX
def test_a_worker_of_a_study_of_images_that_is_killed_at_any_moment(tmp_path: Path):
    raw = {
        "seeds": 1,
        "data": {"train_limit": 1000, "test_limit": 50},
        "model": {"width": 0.2},
        "training": {"epochs": 4, "batch_size": 16, "augment": ["crop"], "optimizer": "adam", "lr": 0.001},
        "evaluation": {"noise": {"gaussian": [0.3]}},
        "arms": [{"method": "fdd2d"}, {"method": "guided"}],
        "reference": "guided",
    }
    study = Study.model_validate(raw)
    trial = partial(run_trial, results=tmp_path, pace=ALWAYS)
    draws, killers = random.Random(0), list[threading.Timer]()

    def kill() -> None:
        for process in active_children():
            process.kill()

    def listen(event: Event) -> None:
        if isinstance(event, Moved) and not killers and list(tmp_path.glob("trials/*.checkpoint")):
            killers.append(threading.Timer(draws.uniform(0, 0.3), kill))
            killers[0].start()

    for _ in range(4):
        run_study(study, tmp_path, 1, listen, trial)
        while killers:
            killers.pop().join()  # or it would kill one of the next run
    run = run_study(study, tmp_path, 1, trial=trial)
    assert not run.failed
    assert not list(tmp_path.glob("trials/*.checkpoint"))
    whole = run_study(study, tmp_path / "whole", 1, trial=partial(run_trial, results=tmp_path / "whole"))
    assert figures(run) == figures(whole)


# The file


def kept(own: ModuleType, folder: Path) -> Path:
    """A checkpoint in the middle of training."""
    with pytest.MonkeyPatch.context() as patch:
        killed_after(6, patch)
        with pytest.raises(Killed):
            rows_of(study_of("loader"), folder, ALWAYS)
    (path,) = folder.glob("trials/*.checkpoint")
    return path


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


class Payload:
    def __reduce__(self) -> Any:
        return os._exit, (66,)


def pickled() -> bytes:
    buffer = io.BytesIO()
    torch.save(Payload(), buffer)
    return buffer.getvalue() + of_bytes(buffer.getvalue()).encode()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda content: flipped(content, 5), "was changed since it was written"),
        (lambda content: flipped(content, len(content) // 2), "was changed since it was written"),
        (lambda content: content[:-1], "was changed since it was written"),
        (lambda content: b"", "was changed since it was written"),
        (lambda content: pickled(), "can't be read"),
    ],
)
def test_a_damaged_file_is_named_and_set_aside_and_the_trial_begins_anew(
    own: ModuleType, tmp_path: Path, damage: Callable[[bytes], bytes], says: str
):
    path = kept(own, tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    notices: list[str] = []
    assert rows_of(study_of("loader"), tmp_path, Pace(), notices) == rows_of(study_of("loader"), tmp_path, None)
    assert notices[-1] == f"{path} {says}: set aside as {path.name}.damaged; training begins anew"
    assert len(own.SEEN) == 15


def test_it_is_of_this_trial_alone(own: ModuleType, tmp_path: Path):
    kept(own, tmp_path)
    other = study_of("loader", arms=[{"name": "dropout", "method": "dropout", "p": 0.4}])
    assert rows_of(other, tmp_path, ALWAYS) == rows_of(other, tmp_path, None)
    assert len(own.SEEN) == 15


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("sums=sums, ", ""), "holds model, optimizer, schedule, sums, losses"),
        (("nn.Linear(8, 2)", "nn.Linear(8, 3)"), "holds another model (the state doesn't fit the model:"),
        (("trial.track(range(3))", "range(3)"), "is of a loop that there isn't any more"),
        (("range(3)", "range(1)"), "is of a loop that is shorter now"),
    ],
)
def test_code_that_the_user_says_is_the_same_and_is_not(
    own: ModuleType, make_module: Make, tmp_path: Path, change: tuple[str, str], says: str
):
    study = study_of("loader", trial={"function": "resumed:train", "way": "loader", "version": "1"})
    with pytest.MonkeyPatch.context() as patch:
        killed_after(7, patch)
        with pytest.raises(Killed):
            rows_of(study, tmp_path, ALWAYS)
    assert change[0] in FUNCTION
    make_module("resumed", FUNCTION.replace(*change))
    with pytest.raises(CheckpointError, match="the same command begins the trial anew") as caught:
        rows_of(study, tmp_path, ALWAYS)
    assert says in str(caught.value)
    assert is_passing(caught.value), "or the same command would not try it again"
    rows_of(study, tmp_path, ALWAYS)


def test_a_file_that_can_not_be_written_is_said_once_and_training_goes_on(own: ModuleType, tmp_path: Path):
    notices: list[str] = []
    study = study_of("loader")
    (tmp_path / "trials").write_text("no folder")
    assert rows_of(study, tmp_path, ALWAYS, notices) == rows_of(study, tmp_path / "other", None)
    path = key_of(study, study.arms[0], 0).path(tmp_path).with_suffix(".checkpoint")
    assert [notice for notice in notices if "written" in notice] == [
        f"{path} can't be written (File exists): training begins anew if it is stopped"
    ]


def test_how_often_a_training_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def slowly(_path: Path, fill: Callable[[io.BytesIO], object]) -> None:
        now[0] += 0.5

    monkeypatch.setattr("dropover.lab.records.checkpoints.write", slowly)
    kept = Checkpoints(tmp_path / "a", Pace(30.0, 0.01))
    assert not kept.due(epoch_ends=True)
    now[0] += 2
    assert kept.due(epoch_ends=True)
    assert not kept.due(epoch_ends=False)
    now[0] += 28
    assert kept.due(epoch_ends=False)
    kept.write({})
    now[0] += 49
    assert not kept.due(epoch_ends=True)
    now[0] += 1
    assert kept.due(epoch_ends=True)
    assert not Checkpoints().due(epoch_ends=True)


@pytest.mark.parametrize("value", [object(), {"a": [np.zeros(2)]}, {"b": (lambda: 0,)}, {1: {2}}])
def test_what_would_be_code_is_not_kept(value: Any):
    with pytest.raises(TypeError, match="a checkpoint holds tensors, numbers and texts, got"):
        plain(value)


# What a function may call


def trial_of(way: str = "loader", arm: str = "dropout") -> lab.Trial:
    return lab.Trial(study_of(way), arm, 0)


def test_calls_that_make_no_sense_are_refused():
    trial = trial_of()
    with pytest.raises(TypeError, match=r"net must have state_dict and load_state_dict, .* got int"):
        trial.checkpoint(net=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="batch_size must be"):
        trial.loader(TensorDataset(torch.zeros(3)), 0)
    with pytest.raises(TypeError, match="a data set with a length and items, got list_iterator"):
        trial.loader(iter([1]), 2)  # type: ignore[arg-type]
    late = trial_of()
    for _ in late.track(range(1)):
        with pytest.raises(ValueError, match="before the loop"):
            late.checkpoint(model=nn.Linear(1, 1))


@given(count=st.integers(0, 30), size=st.integers(1, 12), drop=st.booleans())
@checked(deadline=None, max_examples=30)
def test_a_loader_gives_every_item_once_an_epoch(count: int, size: int, drop: bool):
    loader = trial_of().loader(TensorDataset(torch.arange(count)), size, drop_last=drop)
    for _ in range(2):
        batches = [x.tolist() for (x,) in loader]
        items = [item for batch in batches for item in batch]
        assert len(batches) == len(loader) == (count // size if drop else math.ceil(count / size))
        assert len(set(items)) == len(items) == (count - count % size if drop else count)
        assert all(len(batch) == size for batch in batches[: count // size])


def orders(trial: lab.Trial, wasted: int = 0) -> list[list[int]]:
    loader = trial.loader(TensorDataset(torch.arange(50)), 50)
    found = []
    for _ in trial.track(range(3)):
        found += [x.tolist() for (x,) in loader]
        torch.rand(wasted)
    return found


def test_a_loader_has_an_order_an_epoch_which_arms_share():
    first = orders(trial_of())
    assert orders(trial_of(), wasted=3) == first
    assert len({tuple(order) for order in first}) == 3
    assert sorted(first[0]) == list(range(50)) != first[0]


def test_loops_left_by_break_leave_no_trace():
    def streams(leave: bool) -> list[float]:
        trial, drawn = trial_of(), []
        for _ in trial.track(range(3)):
            for _ in trial.track(range(4)):
                if leave:
                    break
        drawn += [random.random() for _ in trial.track(range(2))]
        return drawn

    assert streams(leave=True) == streams(leave=False)


@pytest.fixture(autouse=True)
def _random_numbers_as_before() -> Iterator[None]:
    with isolated():
        yield
